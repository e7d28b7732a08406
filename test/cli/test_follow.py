# SPDX-License-Identifier: ISC
"""--follow: every end of a stream, its output, its memory, and the connection that is opened again."""

import json
import os
import re
import signal
import subprocess
import threading
import time

import pytest

import conftest
from conftest import Running, run
from servers import BINARY, PING, PONG, TEXT, Server, close_frame, fill, frame

def objects(out):
    """The objects of a stream, one on each line, each checked against the schema."""
    assert out == b"" or out.endswith(b"\n"), out[-100:]
    result = []
    for text in out.decode("utf-8").splitlines():
        obj = json.loads(text, object_pairs_hook=conftest.no_duplicates)
        conftest.check(obj)
        result.append(obj)
    return result


def follow(*args, **kw):
    """Runs wsquery --follow. Returns the messages' objects, and the last object if it is an error or has details."""
    r = run("--follow", *args, json=False, **kw)
    r.objects = objects(r.out)
    r.last = r.objects.pop() if r.objects and ("error" in r.objects[-1] or "details" in r.objects[-1]) else None
    assert all(set(o) <= {"connection", "data", "encoding"} and o["connection"] for o in r.objects)
    r.messages = [o["data"] for o in r.objects]
    if r.status == 0 and "-D" not in args:
        assert r.last is None, "a good end adds nothing"
    if r.status in (1, 3):
        assert "error" in r.last
    return r


def stream(*frames, then=None):
    """A script that sends frames after the upgrade, then calls then(c), else waits for the client."""

    def script(c):
        c.upgrade()
        c.send(*frames)
        if then:
            then(c)
        else:
            c.closed = c.recv_close()
            c.send(close_frame(1000))
            c.eof()

    return script


def a_b_c():
    return frame(TEXT, "a"), frame(TEXT, "b"), frame(TEXT, "c")


def closes(code, reason=""):
    def then(c):
        c.send(close_frame(code, reason))
        c.eof()

    return then


# Every row of the table of ends


def test_end_count():
    with Server(stream(*a_b_c())) as s:
        assert follow("-n", 2, s.url, status=0).messages == ["a", "b"]
        s.wait()
        assert s.conn.closed == (1000, "")


@pytest.mark.parametrize("pattern,messages", [("^b$", ["a", "b"]), ("a", ["a"]), ("[bc]", ["a", "b"])])
def test_end_until(pattern, messages):
    with Server(stream(*a_b_c())) as s:
        r = run("--until", pattern, s.url, json=False, status=0)
        assert [o["data"] for o in objects(r.out)] == messages


def test_end_max_time():
    with Server(stream(*a_b_c())) as s:
        r = follow("--max-time", 0.4, s.url, status=0, at_least=0.4, within=0.5)
        assert r.messages == ["a", "b", "c"]


def test_max_time_of_a_stream_without_pause():
    def flood(c):
        c.upgrade()
        while True:
            c.send(frame(TEXT, "x" * 100) * 100)

    with Server(flood) as s:
        r = run("-F", "-f", "raw", "-m", 0.4, s.url, json=False, status=0, at_least=0.4, within=0.5)
        assert r.out == (b"x" * 100 + b"\n") * (len(r.out) // 101)


def test_max_time_before_the_stream_has_begun():
    with Server(lambda c: c.hold()) as s:
        r = follow("-m", 0.3, "-t", 60, s.url, status=1, at_least=0.3, within=0.4)
        assert "timed out" in r.last["error"]


@pytest.mark.parametrize("args,status", [([], 0), (["-n", 3], 0), (["-n", 4], 3), (["--until", "z"], 3), (["--until", "c"], 0)])
def test_end_closed_with_1000(args, status):
    with Server(stream(*a_b_c(), then=closes(1000, "bye"))) as s:
        r = follow(*args, s.url, status=status)
        assert r.messages == ["a", "b", "c"]
        if status:
            assert "1000" in r.last["error"] and "bye" in r.last["error"] and r.last["data"] is None


@pytest.mark.parametrize(
    "bytes_,reason,words",
    [
        (close_frame(1001, "restart"), "closed", "1001 (going away)"),
        (close_frame(), "closed", "1005"),
        (close_frame(4000), "closed", "4000"),
        (b"", "closed", "1006"),
        (frame(TEXT, "x", rsv=4), "protocol", "reserved"),
        (frame(TEXT, b"\xff"), "utf8", "UTF-8"),
        (frame(TEXT, "x" * 2000), "too_big", "--max-message"),
    ],
)
def test_end_failure(bytes_, reason, words):
    def then(c):
        c.send(bytes_)
        c.end()
        c.eof()

    with Server(stream(*a_b_c(), then=then)) as s:
        r = follow("-D", "--max-message", 1000, s.url, status=3)
        assert r.messages == ["a", "b", "c"] and r.last["data"] is None
        assert r.last["details"]["reason"] == reason and r.last["details"]["phase"] == "receive"
        assert words in r.last["error"]


def test_end_reset():
    with Server(stream(*a_b_c(), then=lambda c: (c.server.stop.wait(0.3), c.reset()))) as s:
        r = follow("-D", s.url, status=3)
        assert r.messages == ["a", "b", "c"] and r.last["details"]["reason"] == "reset"


def test_end_idle():
    with Server(stream(*a_b_c())) as s:
        r = follow("-D", "--idle-timeout", 0.3, s.url, status=3, at_least=0.3, within=0.4)
        assert r.messages == ["a", "b", "c"]
        assert r.last["details"]["reason"] == "timeout" and "--idle-timeout" in r.last["error"]


def test_a_ping_is_no_message():
    def script(c):
        c.upgrade()
        while not c.server.stop.wait(0.05):
            c.send(frame(PING, "p"))

    with Server(script) as s:
        follow("--idle-timeout", 0.4, s.url, status=3, at_least=0.4, within=0.5)


def test_a_message_restarts_the_idle_timeout():
    def script(c):
        c.upgrade()
        for i in range(8):
            c.text(str(i))
            c.server.stop.wait(0.1)
        c.send(close_frame(1000))
        c.eof()

    with Server(script) as s:
        assert len(follow("--idle-timeout", 20, s.url, status=0).messages) == 8


def test_end_keep_alive_unanswered():
    def script(c):
        c.upgrade()
        c.text("a")
        c.ping = c.recv()
        c.hold()

    with Server(script) as s:
        r = follow("-D", "--ping-interval", 0.2, s.url, status=3, at_least=0.4, within=0.5)
        assert r.messages == ["a"] and r.last["details"]["reason"] == "timeout" and "ping" in r.last["error"]
        assert s.conn.ping.opcode == PING


def test_keep_alive_answered():
    def script(c):
        c.upgrade()
        for _ in range(4):
            f = c.recv()
            assert f.opcode == PING
            c.send(frame(PONG, f.payload))
        c.text("still here")
        c.send(close_frame(1000))
        c.eof()

    with Server(script) as s:
        r = follow("--ping-interval", 0.1, s.url, status=0, at_least=0.4)
        assert r.messages == ["still here"]


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
def test_end_signal(sig):
    with Server(stream(*a_b_c())) as s, Running("--follow", "-D", s.url) as p:
        for _ in range(3):
            assert p.p.stdout.readline()
        p.signal(sig)
        r = p.end(json=False, status=128 + sig, within=0.2)
        (last,) = objects(r.out)
        assert last["details"]["reason"] == "interrupted" and last["connection"] and last["data"] is None


def test_signal_while_connecting_and_in_a_pause():
    with Server(lambda c: c.hold()) as s, Running("--follow", s.url) as p:
        while not s.conns:
            assert p.p.poll() is None, "the program has ended"
            time.sleep(0.01)
        p.signal(signal.SIGINT)
        r = p.end(json=False, status=130)
        assert not objects(r.out)[0]["connection"]
    with Server(stream(frame(TEXT, "a"), then=closes(1001))) as s, Running("-F", "--retry", 9, "--retry-delay", 60, s.url) as p:
        assert p.p.stdout.readline()
        s.conn.done.wait()
        time.sleep(0.2)
        p.signal(signal.SIGTERM)
        r = p.end(json=False, status=143)
        assert "before another try" in objects(r.out)[0]["error"]


def test_signal_while_the_output_is_blocked():
    """The reader that has stopped is given 100 ms, not more."""

    def flood(c):
        c.upgrade()
        while True:
            c.send(frame(TEXT, "x" * 1000) * 100)

    with Server(flood) as s, Running("--follow", s.url) as p:
        assert p.p.stdout.readline()
        time.sleep(0.5)
        begin = time.monotonic()
        p.signal(signal.SIGINT)
        assert p.p.wait(60) == 130
        assert time.monotonic() - begin < 0.3 + conftest.SLACK


def test_end_nobody_reads():
    """The reader exits after three messages, like head -3. The status is 74, and stderr is empty."""

    def flood(c):
        c.upgrade()
        while True:
            c.send(frame(TEXT, "x" * 100))

    with Server(flood) as s, Running("--follow", s.url) as p:
        for _ in range(3):
            assert p.p.stdout.readline()
        p.p.stdout.close()
        assert p.p.wait(60) == 74
        assert p.p.stderr.read() == b""


def test_nobody_reads_although_nothing_comes():
    with Server(stream(frame(TEXT, "a"))) as s, Running("--follow", s.url) as p:
        assert p.p.stdout.readline()
        p.p.stdout.close()
        assert p.p.wait(60) == 74
        assert p.p.stderr.read() == b""


def test_pipe_into_head():
    def flood(c):
        c.upgrade()
        while True:
            c.send(frame(TEXT, '{"x": 1}') * 50)

    with Server(flood) as s:
        p = subprocess.run(
            ["bash", "-c", '"$0" --follow -f raw "$1" | head -3; echo ${PIPESTATUS[0]}', conftest.WSQUERY, s.url],
            capture_output=True, timeout=60, env=conftest.environment(),
        )
        assert p.stdout == b'{"x": 1}\n' * 3 + b"74\n" and p.stderr == b""


def test_full_device():
    with Server(stream(*a_b_c())) as s, open("/dev/full", "wb") as full, Running("-F", s.url, stdout=full) as p:
        assert p.p.wait(60) == 74
        assert b"No space left" in p.p.stderr.read()


# Steps and options


def test_steps_come_first():
    def script(c):
        c.upgrade()
        assert c.recv_message() == (TEXT, b"subscribe")
        c.send(frame(TEXT, "hello"), frame(TEXT, "subscribed"), *a_b_c())
        c.send(close_frame(1000))
        c.eof()

    with Server(script) as s:
        assert follow("-d", "subscribe", "-e", "^subscribed", s.url, status=0).messages == ["a", "b", "c"]


def test_messages_that_came_during_the_ping_are_printed():
    def script(c):
        c.upgrade(*a_b_c())
        f = c.recv()
        c.send(frame(PONG, f.payload), frame(TEXT, "d"), close_frame(1000))
        c.eof()

    with Server(script) as s:
        assert follow("--ping", s.url, status=0).messages == ["a", "b", "c", "d"]
        assert follow("--ping", "-n", 2, s.url, status=0).messages == ["a", "b"]


def test_timeout_bounds_the_steps_alone():
    with Server(lambda c: (c.upgrade(), c.hold())) as s:
        r = follow("-t", 1, "-e", "never", s.url, status=3, at_least=1, within=1.1)
        assert "--expect" in r.last["error"]

    def script(c):
        c.upgrade()
        c.server.stop.wait(1.2)
        c.send(frame(TEXT, "late"), close_frame(1000))
        c.eof()

    with Server(script) as s:
        assert follow("-t", 1, s.url, status=0, at_least=1.2).messages == ["late"]


def test_fail_on():
    with Server(stream(*a_b_c())) as s:
        r = follow("--fail-on", "b", "-D", s.url, status=3)
        assert r.messages == ["a"] and r.last["data"] == "b" and r.last["details"]["reason"] == "unmatched"


def test_details_are_the_last_object():
    with Server(stream(*a_b_c())) as s:
        r = follow("-D", "-n", 3, s.url, status=0)
        assert r.messages == ["a", "b", "c"] and r.last["data"] is None and r.last["details"]["reason"] == "ok"
    with Server(stream(*a_b_c(), then=closes(1000, "bye"))) as s:
        r = follow("-D", s.url, status=0)
        assert r.last["details"]["close"] == {"code": 1000, "reason": "bye"}


def test_raw():
    with Server(stream(frame(TEXT, "a"), frame(BINARY, b"\0\xff"), frame(TEXT, ""), then=closes(1001))) as s:
        r = run("--follow", "-f", "raw", s.url, json=False, status=3)
        assert r.out == b"a\n\0\xff\n" and "1001" in r.err and r.err.count("\n") == 1


def test_binary_stream():
    parts = [bytes([i]) * i for i in range(200)]
    with Server(stream(*[frame(BINARY, p) for p in parts], then=closes(1000))) as s:
        r = follow(s.url, status=0)
        assert [o["encoding"] for o in r.objects] == ["base64"] * 200
        assert [conftest.base64.b64decode(m) for m in r.messages] == parts
        assert run("-F", "-f", "raw", s.url, json=False, status=0).out == b"".join(parts)


def test_messages_are_printed_at_once():
    """Each message is printed before the next one is sent."""
    go = threading.Semaphore(0)

    def script(c):
        c.upgrade()
        for i in range(20):
            c.text(str(i))
            assert go.acquire(timeout=60)
        c.send(close_frame(1000))
        c.eof()

    for args in (["-f", "json"], ["-f", "raw"]):
        with Server(script) as s, Running("--follow", *args, s.url) as p:
            for i in range(20):
                line = p.p.stdout.readline().decode()
                assert line == ('{"connection": true, "data": "%d"}\n' % i if args[1] == "json" else "%d\n" % i)
                go.release()
            p.end(json=False, status=0)


def test_a_million_tiny_messages():
    block = frame(TEXT, "x") * 10000

    def script(c):
        c.upgrade()
        for _ in range(100):
            c.send(block)
        c.send(close_frame(1000))
        c.eof()

    with Server(script) as s:
        assert run("-F", "-f", "raw", s.url, json=False, status=0).out == b"x\n" * 1000000


def test_large_messages():
    text = "0123456789\n\"\\\u00e9\u20ac\U0001f600\x01" * 30000
    with Server(stream(*[frame(TEXT, text)] * 5, then=closes(1000))) as s:
        assert follow(s.url, status=0).messages == [text] * 5


# Memory and back-pressure


def memory_kib(pid):
    with open("/proc/%d/status" % pid) as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


def is_asleep(pid):
    """True if the process uses hardly any processor time for half a second: it waits in poll, and does not busy-wait."""

    def ticks():
        with open("/proc/%d/stat" % pid) as f:
            fields = f.read().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    before = ticks()
    time.sleep(0.5)
    return ticks() - before < 0.15 * os.sysconf("SC_CLK_TCK")


def test_a_reader_that_stops():
    """The server's send blocks, our memory does not grow, and in the end nothing is lost."""
    sent = [0]
    enough = threading.Event()

    def script(c):
        c.upgrade()
        block = b"".join(frame(TEXT, "%07d" % (i % 10000000)) for i in range(1000))
        c.sock.settimeout(0.5)
        try:
            while sent[0] < 200 << 20:
                sent[0] += c.sock.send(block[sent[0] % len(block) :])
        except TimeoutError:
            c.blocked = True
        enough.set()
        c.sock.settimeout(60)
        rest = -sent[0] % len(block)
        c.send(block[len(block) - rest :] if rest else b"", close_frame(1000))
        c.eof()

    with Server(script) as s, Running("-F", "-f", "raw", s.url) as p:
        first = p.p.stdout.read(8)
        before = memory_kib(p.p.pid)
        assert enough.wait(60)
        assert s.conn.blocked, "the server could send 200 MB that nobody read"
        assert memory_kib(p.p.pid) < before + 1024
        assert is_asleep(p.p.pid)
        out = first + p.p.stdout.read()
        assert p.p.wait(60) == 0
        assert out == b"".join(b"%07d\n" % i for i in range(1000)) * (len(out) // 8000)
        assert len(out) // 8 == -(-sent[0] // (9 * 1000)) * 1000


def test_a_slow_reader_does_not_find_the_peer_dead():
    """While nobody reads our output, we do not read from the server. That does not count as silence of the server."""

    def script(c):
        c.upgrade()
        for _ in range(300):
            c.send(frame(TEXT, "x" * 9999))
        c.send(close_frame(1000))
        c.eof()

    args = ("-F", "-f", "raw", "--ping-interval", 0.1, "--idle-timeout", 0.3)
    with Server(script) as s, Running(*args, s.url) as p:
        assert p.p.stdout.read(10000)
        time.sleep(1)
        assert len(p.p.stdout.read()) == 299 * 10000
        assert p.p.wait(60) == 0


def test_pings_while_nobody_reads_the_output():
    """The server still sees that we are alive, although we do not receive."""
    seen = threading.Semaphore(0)

    def script(c):
        c.upgrade()
        fill(c, 0.5)
        while c.recv().opcode == PING:
            seen.release()

    with Server(script) as s, Running("-F", "--ping-interval", 0.1, s.url) as p:
        for _ in range(3):
            assert seen.acquire(timeout=60)
        assert p.p.poll() is None
        p.signal(signal.SIGINT)
        assert p.p.wait(60) == 130


@pytest.mark.parametrize("code", [1000, 1001])
def test_the_reader_stops_and_the_server_closes(code):
    """Messages that have arrived wait for the reader as long as it takes, and so does the last object."""
    n = 1000  # 85 KB: more than a pipe holds, less than we keep

    def script(c):
        c.upgrade()
        for _ in range(n // 100):
            c.send(frame(TEXT, "x" * 50) * 100)
        c.send(close_frame(code))
        c.eof()

    with Server(script) as s, Running("--follow", s.url) as p:
        out = p.p.stdout.read(100)
        while not s.conns:
            assert p.p.poll() is None, "the program has ended"
            time.sleep(0.01)
        assert s.conn.done.wait(60), "the connection is held although it is closed"
        assert is_asleep(p.p.pid)
        assert p.p.poll() is None
        out += p.p.stdout.read()
        assert out.count(b"\n") == n + (code == 1001)
        assert p.p.wait(60) == (0 if code == 1000 else 3)


def test_idle_states_do_not_spin():
    with Server(stream(frame(TEXT, "a"))) as s, Running("--follow", s.url) as p:
        assert p.p.stdout.readline()
        assert is_asleep(p.p.pid)
        p.signal(signal.SIGINT)
        assert p.p.wait(60) == 130
    with Server(stream(frame(TEXT, "a"), then=closes(1001))) as s, Running("-F", "--retry", 9, "--retry-delay", 60, s.url) as p:
        assert p.p.stdout.readline()
        assert is_asleep(p.p.pid)
        p.signal(signal.SIGINT)
        assert p.p.wait(60) == 130


# Reconnecting


def numbered(messages_each, then):
    """A script that sends the next messages_each numbers on each connection."""
    lock, n = threading.Lock(), [0]

    def script(c):
        c.upgrade()
        for _ in range(messages_each):
            with lock:
                n[0] += 1
                c.text(str(n[0]))
        then(c)

    return script


@pytest.mark.parametrize("args", [["--retry", 2], ["--retry", 2, "--wait", 5], ["--wait", 60], ["--wait", 0]])
def test_reconnecting(args):
    """A server that drops after each message: the tries that bring a message do not count."""
    with Server(numbered(1, closes(1001))) as s:
        r = follow(*args, "--retry-delay", 0.01, "-n", 10, s.url, status=0)
        assert r.messages == [str(i) for i in range(1, 11)]


def test_tries_in_a_row_without_a_message():
    n = [0]

    def script(c):
        n[0] += 1
        if n[0] == 3:
            c.upgrade(frame(TEXT, "a"), close_frame(1001))
            c.eof()
        else:
            c.refuse("503 Service Unavailable")

    with Server(script) as s:
        r = follow("-D", "--retry", 4, "--retry-delay", 0.01, s.url, status=1)
        assert r.messages == ["a"] and n[0] == 3 + 4
        assert r.last["details"]["attempts"] == 7 and r.last["details"]["status"] == 503


def test_wait_counts_from_the_last_message():
    n = [0]

    def script(c):
        n[0] += 1
        if n[0] <= 5:
            c.upgrade(frame(TEXT, "a"))
            c.server.stop.wait(0.2)
            c.send(close_frame(1001))
            c.eof()
        else:
            c.refuse("503 Service Unavailable")

    with Server(script) as s:
        r = follow("--wait", 0.8, "--retry-delay", 0.05, s.url, status=1, at_least=1.6, within=2.2)
        assert r.messages == ["a"] * 5


def test_the_steps_are_done_again():
    def script(c):
        c.upgrade()
        assert c.recv_message() == (TEXT, b"subscribe")
        c.send(frame(TEXT, "ok"), frame(TEXT, "a"), close_frame(1012))
        c.eof()

    with Server(script) as s:
        r = follow("-d", "subscribe", "-e", "ok", "--retry", 1, "--retry-delay", 0, "-n", 3, s.url, status=0)
        assert r.messages == ["a"] * 3 and s.accepted == 3


def test_a_good_end_is_not_tried_again():
    with Server(stream(*a_b_c(), then=closes(1000))) as s:
        assert follow("--retry", 5, s.url, status=0).messages == ["a", "b", "c"]
        assert s.accepted == 1


def test_max_time_bounds_all_tries():
    with Server(numbered(1, closes(1001))) as s:
        follow("--retry", 1000000, "--retry-delay", 0.05, "-m", 0.6, s.url, at_least=0.55, within=0.7)


# A wrong command line


@pytest.mark.parametrize(
    "args",
    [["-F", "-q"], ["-F", "-f", "nagios"], ["--until", "x", "-f", "prometheus"], ["-F", "--check"], ["-F", "-n", "0"], ["--idle-timeout", "1"]],
)
def test_usage(args):
    # nagios has its own statuses, and always prints a line
    nagios = "nagios" in args and "nagios" in conftest.built_in()
    run(*args, "ws://127.0.0.1:9/", status=3 if nagios else 64, json=not nagios)
