# SPDX-License-Identifier: ISC
"""--lines: standard input's lines are sent as messages, while messages are received."""

import os
import pty
import select
import signal
import subprocess
import threading
import time

import pytest

import conftest
from conftest import Running, needs, run
from pki import pki  # noqa: F401
from servers import BINARY, CLOSE, TEXT, Server, close_frame, echo, fill, frame
from test_follow import is_asleep, memory_kib, objects


LAST = ("--close-timeout", 60)  # even a slow server sends all its answers in that time


def lines(*args, stdin, **kw):
    r = run("--lines", *LAST, *args, stdin=stdin, json=False, **kw)
    r.objects = objects(r.out)
    r.messages = [o["data"] for o in r.objects if "error" not in o and "details" not in o]
    return r


def type_(p, data):
    p.p.stdin.write(data)
    p.p.stdin.flush()


def end_input(p):
    p.p.stdin.close()
    p.p.stdin = None  # communicate() would flush it


def test_two_lines():
    with Server(echo) as s:
        assert lines(s.url, stdin=b"a\nb\n", status=0).messages == ["a", "b"]
        s.wait()
        assert [(f.opcode, f.payload) for f in s.conn.frames] == [(TEXT, b"a"), (TEXT, b"b"), (CLOSE, b"\x03\xe8")]


@pytest.mark.parametrize(
    "stdin,messages",
    [
        (b"", []),
        (b"\n", [b""]),
        (b"\n\n\n", [b""] * 3),
        (b"a", [b"a"]),
        (b"a\nb", [b"a", b"b"]),
        (b"a\r\nb\r\n", [b"a", b"b"]),
        (b"a\r\n\r\n\r", [b"a", b"", b"\r"]),
        (b"a\rb\n", [b"a\rb"]),
        (b"nul \0 nul\n", [b"nul \0 nul"]),
        ("\u00e9\u20ac\U0001f600\n".encode(), ["\u00e9\u20ac\U0001f600".encode()]),
        (b"x" * 125 + b"\n" + b"y" * 126 + b"\n" + b"z" * 65535 + b"\n" + b"w" * 65536 + b"\n", [b"x" * 125, b"y" * 126, b"z" * 65535, b"w" * 65536]),
        (b"x" * 1000000 + b"\na\n", [b"x" * 1000000, b"a"]),
    ],
)
def test_lines(stdin, messages):
    with Server(echo) as s:
        r = lines(s.url, stdin=stdin, status=0)
        assert [m.encode() for m in r.messages] == messages
        s.wait()
        assert all(f.opcode == TEXT for f in s.conn.frames[:-1])


def test_binary_lines():
    """With -B a line may hold any bytes, and keeps its '\\r'."""
    with Server(echo) as s:
        r = run("-l", "-B", "-f", "raw", *LAST, s.url, stdin=b"\xff\xfe\r\n\0\nlast", json=False, status=0)
        assert r.out == b"\xff\xfe\r\0last"
        s.wait()
        assert all(f.opcode == BINARY for f in s.conn.frames[:-1])


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
@pytest.mark.parametrize("limit", [10, 125, 126, 65536, 100000])
def test_a_line_of_the_limit(limit, end):
    with Server(echo) as s:
        r = lines("--max-message", limit, s.url, stdin=b"a\n" + b"x" * limit + end, status=0)
        assert r.messages == ["a", "x" * limit]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"", b"yyyyyyyyyyy\nb\n"])
@pytest.mark.parametrize("limit", [10, 125, 126, 65536, 100000])
def test_a_line_over_the_limit(limit, end):
    with Server(echo) as s:
        r = lines("-D", "--max-message", limit, s.url, stdin=b"a\n" + b"x" * (limit + 1) + end, status=3)
        last = r.objects[-1]
        assert last["details"]["phase"] == "input" and last["details"]["reason"] == "too_big"
        assert "line 2 of standard input" in last["error"] and "--max-message" in last["error"]
        s.wait()
        assert [f.payload for f in s.conn.frames if f.opcode == TEXT] == [b"a"]


def test_a_line_that_is_not_text():
    with Server(echo) as s:
        r = lines("-D", "--retry", 3, s.url, stdin=b"a\nb\nxy\xffz\nc\n", status=3)
        last = r.objects[-1]
        assert last["details"]["phase"] == "input" and last["details"]["reason"] == "utf8"
        assert "line 3 of standard input: byte 3 is not UTF-8" in last["error"]
        s.wait()
        assert [f.payload for f in s.conn.frames if f.opcode == TEXT] == [b"a", b"b"]


def test_standard_input_that_cannot_be_read():
    fd = os.open("/", os.O_RDONLY)
    try:
        with Server(echo) as s, Running("--lines", "-D", s.url, stdin=fd) as p:
            r = p.end(json=False, status=3)
            last = objects(r.out)[-1]
            assert "Is a directory" in last["error"] and last["details"]["phase"] == "input"
    finally:
        os.close(fd)


def test_closed_standard_input():
    p = subprocess.run(
        ["sh", "-c", 'exec "$0" --lines ws://127.0.0.1:9/ <&-', conftest.WSQUERY], capture_output=True, timeout=60, env=conftest.environment()
    )
    assert p.returncode == 64 and b"standard input is closed" in p.stderr


@pytest.mark.parametrize("args", [["-d", "@-"], ["-H", "@-"], ["-q"], ["-f", "nagios"]])
def test_usage(args):
    nagios = "nagios" in args
    run("--lines", *args, "ws://127.0.0.1:9/", status=3 if nagios else 64, stdin=b"", json=not nagios)


# Ends


def test_count_keeps_the_connection_open():
    """The answers come only after a while."""

    def script(c):
        c.upgrade()
        got = [c.recv_message()[1] for _ in range(2)]
        c.server.stop.wait(0.5)
        c.send(*[frame(TEXT, g) for g in got])
        c.recv_close()
        c.send(close_frame(1000))
        c.eof()

    with Server(script) as s:
        assert lines("-n", 2, "--close-timeout", 0.1, s.url, stdin=b"a\nb\n", status=0, at_least=0.5).messages == ["a", "b"]


def test_a_server_that_does_not_close():
    def script(c):
        c.upgrade()
        c.text(c.recv_message()[1].decode())
        c.closed = c.recv_close()
        c.text("one more")
        c.hold()

    with Server(script) as s:
        r = lines("--close-timeout", 0.4, s.url, stdin=b"a\n", status=0, at_least=0.4, within=0.6)
        assert r.messages == ["a", "one more"] and s.conn.closed == (1000, "")


def test_a_server_that_goes_on_for_ever():
    def script(c):
        c.upgrade()
        while True:
            c.text("x")
            c.server.stop.wait(0.01)

    with Server(script) as s:
        lines("--close-timeout", 0.1, s.url, stdin=b"a\n", status=0, within=1.2)


def test_an_answer_that_takes_longer_than_the_close_timeout():
    """Answers that are still missing are waited for as long as something arrives."""

    def script(c):
        c.upgrade()
        got = [c.recv_message()[1] for _ in range(10)]
        for g in got:
            c.server.stop.wait(0.1)
            c.text(g.decode())
        c.recv_close()
        c.send(close_frame(1000))
        c.eof()

    with Server(script) as s:
        stdin = b"".join(b"%d\n" % i for i in range(10))
        assert lines("--close-timeout", 0.5, s.url, stdin=stdin, status=0).messages == [str(i) for i in range(10)]


def test_no_close_timeout():
    def script(c):
        c.upgrade()
        c.hold()

    with Server(script) as s:
        lines("--close-timeout", 0, s.url, stdin=b"a\n", status=0, within=0.1)


@pytest.mark.parametrize("until,status", [("^b$", 0), ("z", 3)])
def test_until(until, status):
    with Server(echo) as s:
        r = lines("--until", until, s.url, stdin=b"a\nb\n", status=status)
        assert r.messages == ["a", "b"]


def test_the_server_closes_first():
    def script(c):
        c.upgrade()
        c.text(c.recv_message()[1].decode())
        c.send(close_frame(1000))
        c.eof()

    with Server(script) as s, Running("--lines", s.url, stdin=subprocess.PIPE) as p:
        type_(p, b"a\n")
        assert p.p.stdout.readline() == b'{"connection": true, "data": "a"}\n'
        assert p.p.wait(60) == 0


def test_a_dialogue():
    """Each answer is printed before the next line is typed."""
    with Server(echo) as s, Running("--lines", "-f", "raw", s.url, stdin=subprocess.PIPE) as p:
        for i in range(50):
            type_(p, b"%d\n" % i)
            assert p.p.stdout.readline() == b"%d\n" % i
        end_input(p)
        assert p.p.wait(60) == 0


def test_half_a_line_is_not_sent():
    with Server(echo) as s, Running("--lines", "-f", "raw", s.url, stdin=subprocess.PIPE) as p:
        type_(p, b"whole\nha")
        assert p.p.stdout.readline() == b"whole\n"
        time.sleep(0.2)
        assert [f.payload for f in s.conn.frames if f.opcode == TEXT] == [b"whole"]
        p.p.stdin.write(b"lf\n")
        end_input(p)
        assert p.p.stdout.readline() == b"half\n"
        assert p.p.wait(60) == 0


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
def test_signal(sig):
    with Server(echo) as s, Running("--lines", s.url, stdin=subprocess.PIPE) as p:
        type_(p, b"a\n")
        assert p.p.stdout.readline()
        p.signal(sig)
        r = p.p.wait(60)
        assert r == 128 + sig and objects(p.p.stdout.read())[-1]["error"]


def test_signal_behind_our_close():
    def script(c):
        c.upgrade()
        c.recv_close()
        c.text("closing")
        c.hold()

    with Server(script) as s, Running("--lines", "--close-timeout", 60, s.url, stdin=subprocess.DEVNULL) as p:
        assert p.p.stdout.readline() == b'{"connection": true, "data": "closing"}\n'
        p.signal(signal.SIGINT)
        assert p.p.wait(60) == 130


def test_steps_come_before_lines():
    def script(c):
        c.upgrade()
        assert c.recv_message()[1] == b"login"
        c.text("welcome")
        assert c.recv_message()[1] == b"a"
        c.send(frame(TEXT, "A"), close_frame(1000))
        c.eof()

    with Server(script) as s:
        assert lines("-d", "login", "-e", "welcome", s.url, stdin=b"a\n", status=0).messages == ["A"]


# Both ways at once


def test_much_both_ways():
    """5 MB of lines of many lengths through an echo server, byte for byte."""
    data = b"".join(b"%d " % i * (i % 97) + b"\n" for i in range(25000))
    with Server(echo) as s:
        r = run("--lines", *LAST, "-f", "raw", "--ping-interval", 0, s.url, stdin=data, json=False, status=0)
        assert r.out == data


def test_a_server_that_does_not_read():
    """While the server does not read, standard input is not read either, and memory does not grow."""

    def script(c):
        c.upgrade()
        c.text("go")
        c.hold()

    with Server(script) as s, Running("--lines", s.url, stdin=subprocess.PIPE) as p:
        assert p.p.stdout.readline()
        fd = p.p.stdin.fileno()
        os.set_blocking(fd, False)
        written, block, before, quiet = 0, b"x" * 99 + b"\n", None, 0
        while quiet < 5:
            if select.select([], [fd], [], 0.1)[1]:
                written += os.write(fd, block * 40)
                quiet = 0
            else:
                quiet += 1
            if before is None and written > 200000:
                before = memory_kib(p.p.pid)
            assert written < 100 << 20, "100 MB were read although the server takes nothing"
        assert memory_kib(p.p.pid) < before + 1024
        assert is_asleep(p.p.pid)
        p.signal(signal.SIGINT)
        assert p.p.wait(60) == 130


def test_sending_goes_on_while_nobody_reads_the_output():
    """A reader that has stopped must not stop what is sent."""
    got = threading.Event()

    def script(c):
        c.upgrade()
        fill(c, 0.3)
        c.buf = b""
        while c.recv().payload != b"last":
            pass
        got.set()
        c.hold()

    with Server(script) as s, Running("--lines", s.url, stdin=subprocess.PIPE) as p:
        p.p.stdout.read(1)
        time.sleep(1)
        type_(p, b"a\nb\nlast\n")
        assert got.wait(30)
        assert is_asleep(p.p.pid)


@needs("tls")
def test_both_ways_through_tls(pki):
    data = b"".join(b"%d\n" % i for i in range(20000))
    with pki.server(echo) as s:
        args = ("--lines", *LAST, "-f", "raw", "--ping-interval", 0, "--cacert", pki("ca.pem"))
        r = run(*args, "wss://localhost:%d/" % s.port, stdin=data, json=False, status=0)
        assert r.out == data


# Reconnecting


def dropping(received, how, answers=True):
    """A script that takes one message and drops the connection."""

    def script(c):
        c.upgrade()
        received.append(c.recv_message()[1])
        if answers:
            c.text("got " + received[-1].decode())
        how(c)

    return script


def close_1001(c):
    c.send(close_frame(1001))
    c.eof()


@pytest.mark.parametrize("how", [close_1001, lambda c: c.reset(), lambda c: c.sock.close()], ids=["close", "reset", "end"])
def test_reconnecting_sends_each_line_once(how):
    """A server that drops the connection after each message. The next line is typed when the answer is printed."""
    received = []
    with Server(dropping(received, how)) as s:
        with Running("--lines", "-f", "raw", "--retry", 20, "--retry-delay", 0.05, s.url, stdin=subprocess.PIPE) as p:
            for i in range(10):
                type_(p, b"line %d\n" % i)
                if how is close_1001:
                    assert p.p.stdout.readline() == b"got line %d\n" % i
                else:
                    deadline = time.monotonic() + 60
                    while len(received) <= i and time.monotonic() < deadline:
                        time.sleep(0.01)
                time.sleep(0.1)
            p.p.kill()
        assert received == [b"line %d" % i for i in range(10)]


def test_lines_typed_in_a_pause_are_sent_afterwards():
    received = []
    done = threading.Event()

    def second(c):
        c.upgrade()
        while len(received) < 4:
            received.append(c.recv_message()[1])
        done.set()
        c.recv_close()
        c.send(close_frame(1000))
        c.eof()

    with Server(dropping(received, close_1001), second) as s:
        with Running("--lines", "-f", "raw", "--retry", 3, "--retry-delay", 0.5, s.url, stdin=subprocess.PIPE) as p:
            type_(p, b"a\n")
            assert p.p.stdout.readline() == b"got a\n"
            s.conns[0].done.wait()
            time.sleep(0.1)
            p.p.stdin.write(b"b\nc\nd\n")
            end_input(p)
            assert done.wait(60)
            assert p.p.wait(60) == 0
        assert received == [b"a", b"b", b"c", b"d"]


def test_lines_that_were_not_written_are_sent_again():
    """The first server reads little and ends. What was not written to it is sent to the second one, and nothing twice."""
    received = []

    def first(c):
        c.upgrade()
        c.text("ready")
        c.server.stop.wait(1)
        for _ in range(3):
            received.append(c.recv_message()[1])
        c.reset()

    def second(c):
        c.upgrade()
        try:
            while True:
                received.append(c.recv_message()[1])
        finally:
            c.send(close_frame(1000))

    data = b"".join(b"%07d %s\n" % (i, b"x" * 9990) for i in range(3000))  # 30 MB: more than the sockets hold
    with Server(first, second) as s:
        args = ("--lines", *LAST, "-f", "raw", "--retry", 1, "--retry-delay", 0.01, "--ping-interval", 0)  # no ping wakes it
        r = run(*args, s.url, stdin=data, json=False, status=0)
        assert r.out == b"ready\n"
        s.wait()
    numbers = [int(m[:7]) for m in received]
    assert numbers == sorted(set(numbers)), "a line came twice, or out of order"
    assert numbers[:3] == [0, 1, 2] and numbers[-1] == 2999
    rest = numbers[3:]
    assert rest == list(range(rest[0], 3000)), "a line is missing on the second connection"


# A terminal


def test_at_a_terminal():
    """The terminal edits the line; ^D ends the input."""
    master, slave = pty.openpty()
    try:
        with Server(echo) as s:
            p = subprocess.Popen([conftest.WSQUERY, "--lines", "-f", "raw", s.url], stdin=slave, stdout=slave, stderr=slave, env=conftest.environment())
            out = b""

            def until(what):
                nonlocal out
                deadline = time.monotonic() + 60
                while what not in out and time.monotonic() < deadline:
                    if select.select([master], [], [], 0.1)[0]:
                        out += os.read(master, 1000)
                assert what in out, out

            os.write(master, b"hellp\x7fo\n")
            until(b"o\r\nhello\r\n")
            os.write(master, "gr\u00fc\u00dfe\n".encode())
            until("\u00dfe\r\ngr\u00fc\u00dfe\r\n".encode())
            os.write(master, b"\x04")
            assert p.wait(60) == 0
            s.wait()
            assert [f.payload for f in s.conn.frames if f.opcode == TEXT] == [b"hello", "gr\u00fc\u00dfe".encode()]
    finally:
        os.close(master)
        os.close(slave)
