# SPDX-License-Identifier: ISC
"""Deadlines in each phase, retries, signals, and a stdout that does not accept the answer."""

import fcntl
import json
import os
import pty
import re
import resource
import signal
import socket
import subprocess
import threading
import time
import tty

import pytest
from conftest import SANITIZED, SLACK, WSQUERY, Running, environment, needs, run
from servers import CLOSE, CONT, TEXT, Server, close_frame, echo, frame, says, unused_port


class BlackHole:
    """A listener whose queue is full, so that a SYN is dropped (Linux)."""

    def __enter__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(0)
        self.port = self.listener.getsockname()[1]
        self.fill = []
        for _ in range(8):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", self.port))
            self.fill.append(s)
        time.sleep(0.1)
        probe = socket.socket()
        probe.settimeout(0.3)
        try:
            probe.connect(("127.0.0.1", self.port))
            pytest.skip("this system's loopback drops no SYN")
        except socket.timeout:
            pass
        finally:
            probe.close()
        return self

    def __exit__(self, *unused):
        for s in self.fill:
            s.close()
        self.listener.close()


def test_in_connect():
    with BlackHole() as b:
        r = run("-D", "-t", "0.6", "ws://127.0.0.1:%d/" % b.port, status=1, at_least=0.6, within=0.6)
    assert (r.details["phase"], r.details["reason"]) == ("connect", "timeout")
    assert "127.0.0.1:%d" % b.port in r.error


def test_in_the_upgrade():
    with Server(lambda c: c.eof()) as s:
        r = run("-D", "-t", "0.6", s.url, status=1, at_least=0.6, within=0.6)
    assert (r.details["phase"], r.details["reason"]) == ("upgrade", "timeout") and s.hostport in r.error


def test_in_a_dribbled_head():
    def script(c):
        c.read_request()
        c.dribble(c.response() + frame(TEXT, "a"), 0.05)

    with Server(script) as s:
        r = run("-D", "-t", 1, s.url, status=1, at_least=1, within=1)
    assert (r.details["phase"], r.details["reason"]) == ("upgrade", "timeout")


def test_in_a_dribbled_message():
    def script(c):
        c.upgrade()
        c.dribble(frame(TEXT, "a" * 10000), 0.02)

    with Server(script) as s:
        r = run("-D", "-t", 1, s.url, status=3, at_least=1, within=1)
    assert (r.details["phase"], r.details["reason"]) == ("receive", "timeout")


def test_in_a_flood():
    def script(c):
        c.upgrade()
        block = frame(TEXT, "noise") * 5000
        while not c.server.stop.is_set():
            c.send(block)

    with Server(script) as s:
        r = run("-D", "-e", "signal", "-t", 1, s.url, status=3, at_least=1, within=1)
    assert r.data == "noise"


def test_in_a_send(tmp_path):
    # over a Unix socket, whose buffers hold far less than 1 MiB, so that they are soon full
    with Server(lambda c: c.upgrade().hold(), unix=str(tmp_path / "s")) as s:
        r = run("-D", "-d", "@-", "-t", 3, "--unix-socket", s.unix, "ws://example.com/", stdin=b"x" * (1 << 20), status=3, at_least=3, within=3)
    assert (r.details["phase"], r.details["reason"]) == ("send", "timeout")


def test_in_a_ping():
    with Server(lambda c: c.upgrade().eof()) as s:
        r = run("-D", "-p", "-t", "0.6", s.url, status=3, at_least=0.6, within=0.6)
    assert (r.details["phase"], r.details["reason"]) == ("ping", "timeout")


def test_in_standard_input():
    with Server(echo) as s, Running("-D", "-d", "@-", "-t", "0.6", s.url, stdin=subprocess.PIPE) as p:
        p.p.stdin.write(b"begun")
        p.p.stdin.flush()
        p.p.wait(60)
        stdin, p.p.stdin = p.p.stdin, None
        r = p.end(status=1, at_least=0.6, within=0.6)
        stdin.close()
        assert not s.conns
    assert (r.details["phase"], r.details["reason"]) == ("input", "timeout")


@pytest.mark.parametrize("option", ["-H", "-b", "-u", "--bearer", pytest.param("--pass", marks=needs("tls"))])
@pytest.mark.parametrize("fifo", [False, True], ids=["stdin", "fifo"])
def test_in_the_value_of_an_option(option, fifo, tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    keep = os.open(path, os.O_RDWR)
    os.write(keep, b"A: b")
    with Running("-D", option, "@%s" % path if fifo else "@-", "-t", "0.5", "ws://127.0.0.1:1/", stdin=keep) as p:
        r = p.end(status=1, at_least=0.5, within=0.5)
    os.close(keep)
    assert (r.details["phase"], r.details["reason"]) == ("input", "timeout")


def test_connect_timeout():
    with Server(lambda c: c.eof()) as s:
        r = run("-D", "--connect-timeout", "0.5", "-t", 60, s.url, status=1, at_least=0.5, within=0.5)
    assert (r.details["phase"], r.details["reason"]) == ("upgrade", "timeout")
    with Server(says("x")) as s:
        run("--connect-timeout", 30, s.url, status=0)


def test_connect_timeout_ends_with_the_upgrade():
    def script(c):
        c.upgrade()
        c.server.stop.wait(1.5)
        c.text("late")
        c.finish()

    with Server(script) as s:
        run("--connect-timeout", 1, s.url, status=0)


def test_the_longer_connect_timeout_does_not_extend():
    with Server(lambda c: c.eof()) as s:
        run("--connect-timeout", 60, "-t", "0.5", s.url, status=1, at_least=0.5, within=0.5)


@pytest.mark.parametrize("given, seconds", [("500ms", 0.5), ("0.5", 0.5), ("1s", 1), ("0.01m", 0.6), ("00.5s", 0.5)])
def test_durations(given, seconds):
    with Server(lambda c: c.upgrade().eof()) as s:
        run("-t", given, s.url, status=3, at_least=seconds, within=seconds)


@pytest.mark.parametrize("args", [["-m", "0.5"], ["--max-time", "0.5"], ["--max-time=0.5"], ["-t0.5"], ["--timeout=0.5"], ["-t", "60", "-m", "0.5"]])
def test_names_of_the_timeout(args):
    with Server(lambda c: c.upgrade().eof()) as s:
        run(*args, s.url, status=3, at_least=0.5, within=0.5)


@pytest.mark.parametrize("option", ["-t", "--connect-timeout", "--wait"])
def test_zero_is_no_limit(option):
    def script(c):
        c.read_request()
        c.server.stop.wait(0.3)
        c.upgrade(frame(TEXT, "a"))
        c.finish()

    with Server(script) as s:
        assert run(option, 0, s.url, status=0).data == "a"


def test_a_long_url_whose_secret_is_longer():
    with Running("-H", "@-", "-t", 1, "ws://joe:%s@h/%s" % ("s3cret" * 100, "x" * 1000), stdin=subprocess.PIPE) as p:
        p.p.wait(60)
        r = p.end(status=1, secrets=["s3cret"])
    assert "ws://h/x" in r.error and "x...: standard input" in r.error


# retries


def test_retry():
    def no(c):
        c.refuse("503 Busy")
        c.eof()

    with Server(no, no, says("a")) as s:
        r = run("-D", "--retry", 3, "--retry-delay", 0, s.url, status=0)
        assert len(s.conns) == 3
    assert r.data == "a" and r.details["attempts"] == 3


def test_retries_used_up():
    with Server(lambda c: c.refuse("503 Busy").eof()) as s:
        r = run("-D", "--retry", 2, "--retry-delay", "0.2", s.url, status=1, at_least=0.4)
        assert len(s.conns) == 3
    assert r.details["attempts"] == 3


def test_default_delay_is_a_second():
    with Server(lambda c: c.refuse("503 Busy").eof()) as s:
        run("--retry", 1, s.url, status=1, at_least=1)


def test_status_3_is_tried_again():
    with Server(lambda c: c.upgrade().send(close_frame(1013)).eof(), says("a")) as s:
        assert run("--retry", 1, "--retry-delay", 0, s.url, status=0).data == "a"


def test_each_try_has_its_own_timeout():
    with Server(lambda c: c.eof(), says("a")) as s:
        run("--retry", 1, "--retry-delay", 0, "-t", 1, s.url, status=0, at_least=1)


def test_wait_for_a_server_that_comes():
    sock, port = unused_port()
    with Running("-D", "--wait", 60, "--retry-delay", "0.1", "ws://127.0.0.1:%d/" % port) as p:
        time.sleep(0.5)
        sock.close()
        with Server(says("up"), port=port):
            r = p.end(status=0, at_least=0.5)
    assert r.data == "up" and r.details["attempts"] > 1


def test_a_slow_failure_is_tried_again_until_the_end():
    # the first try takes more than half of the time; another one may be quicker
    def slow(c):
        c.read_request()
        c.server.stop.wait(2.2)
        c.refuse("503 Busy").eof()

    with Server(slow, says("up")) as s:
        r = run("-D", "--wait", 4, "--retry-delay", 0, s.url)
        assert len(s.conns) >= 2
    assert r.details["attempts"] >= 2 and (r.data == "up" or r.seconds > 4)


def test_a_last_try_cut_short_tells_of_the_one_before():
    with Server(lambda c: c.refuse("503 Busy").eof(), lambda c: c.eof()) as s:
        r = run("-D", "--wait", "1.5", "--retry-delay", 0, s.url, status=1)
    assert r.details["reason"] != "timeout" or "the try before it failed with" in r.error and "503" in r.error


def test_wait_in_vain():
    sock, port = unused_port()
    with sock:
        r = run("-D", "--wait", 1, "--retry-delay", "0.3", "ws://127.0.0.1:%d/" % port, status=1, at_least=0.95, within=1)
    assert r.details["attempts"] >= 3 and r.details["reason"] == "refused"


def test_wait_bounds_a_try():
    with Server(lambda c: c.eof()) as s:
        r = run("-D", "--wait", "0.7", "-t", 60, s.url, status=1, at_least=0.65, within=0.7)
    assert r.details["reason"] == "timeout"


def test_wait_bounds_a_close():
    def script(c):
        c.upgrade().text("too large")
        c.hold()  # never answers our close frame

    with Server(script) as s:
        r = run("-D", "--max-message", 4, "--wait", 5, "--close-timeout", 60, s.url, at_least=4.9, within=5)
    assert r.details["attempts"] >= 3
    assert r.status == 3 and r.details["reason"] == "too_big" or r.details["reason"] == "timeout"  # if the last try began late


def test_what_wait_left_is_told():
    with Server(lambda c: c.upgrade().hold()) as s:
        assert "--wait" in run("--wait", 2, "-t", 60, s.url, status=3).error
        assert "--wait" not in run("--wait", 60, "-t", 2, "--retry", 0, s.url, status=3).error


def test_wait_with_retry():
    sock, port = unused_port()
    with sock:
        r = run("-D", "--wait", 60, "--retry", 2, "--retry-delay", "0.1", "ws://127.0.0.1:%d/" % port, status=1)
    assert r.details["attempts"] == 3 and r.seconds < 50


def test_a_long_delay_is_shortened():
    sock, port = unused_port()
    with sock:
        r = run("-D", "--wait", 1, "--retry-delay", 100, "ws://127.0.0.1:%d/" % port, status=1, within=1)
    assert r.details["attempts"] >= 1


def test_a_url_is_not_tried_again():
    r = run("-D", "--retry", 5, "--retry-delay", 10, "ws://", status=1, within=0)
    assert r.details["attempts"] == 1


def test_data_goes_with_each_try():
    def once(c):
        c.upgrade()
        c.got = c.recv_message()
        c.send(close_frame(1011))

    with Server(once, echo) as s:
        assert run("--retry", 1, "--retry-delay", 0, "-d", "@-", s.url, stdin=b"in", status=0).data == "in"
        assert s.conns[0].got == (TEXT, b"in")


# signals


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_receiving(number, status):
    upgraded = threading.Event()

    def script(c):
        c.upgrade()
        c.recv_message()
        upgraded.set()
        c.eof()

    with Server(script) as s, Running("-D", "-d", "x", "-t", 60, s.url) as p:
        assert upgraded.wait(60)
        p.signal(number)
        r = p.end(status=status)
    assert r.json["connection"] is True and r.details["reason"] == "interrupted" and r.details["phase"] == "receive"
    assert r.seconds < 50


def test_a_signal_in_the_upgrade():
    seen = threading.Event()

    def script(c):
        c.read_request()
        seen.set()
        c.eof()

    with Server(script) as s, Running("-D", "-t", 60, s.url) as p:
        assert seen.wait(60)
        p.signal(signal.SIGTERM)
        r = p.end(status=143)
    assert r.json["connection"] is False and r.details["reason"] == "interrupted"


def test_a_signal_while_waiting_to_retry():
    with Server(lambda c: c.refuse("503 Busy").eof()) as s, Running("--retry", 5, "--retry-delay", 60, s.url) as p:
        while not s.conns:
            time.sleep(0.01)
        s.wait()
        time.sleep(0.3)
        p.signal(signal.SIGINT)
        r = p.end(status=130)
        assert len(s.conns) == 1
    assert r.error and r.seconds < 50


@pytest.mark.parametrize("args, data", [(["-e", "healthy"], "degraded"), (["-n", 2], ["degraded"]), (["-e", "healthy", "-d", "x"], "degraded")])
def test_a_signal_in_a_pause_answers_with_the_last_try(args, data):
    said = threading.Event()

    def script(c):
        c.upgrade().text("degraded")
        c.recv_close()
        said.set()
        c.hold()

    with Server(script) as s, Running("-D", "--close-timeout", 0, "-t", 3, "--retry", 5, "--retry-delay", 100, *args, s.url) as p:
        assert said.wait(60)
        time.sleep(0.3)
        p.signal(signal.SIGTERM)
        r = p.end(status=143)
    assert r.json["connection"] is True and r.data == data and r.details["status"] == 101 and r.details["headers"]
    assert r.details["phase"] == "receive" and r.details["reason"] == "interrupted" and r.details["attempts"] == 1
    assert "degraded" not in r.error and "3 s" in r.error and "SIGTERM" in r.error


def test_a_signal_behind_the_head():
    sent = threading.Event()

    def script(c):
        c.read_request()
        c.send(b"HTTP/1.1 404 Not Found\r\nX: y\r\nContent-Length: 100\r\n\r\n")
        sent.set()
        c.hold()

    with Server(script) as s, Running("-D", "-t", 60, s.url) as p:
        assert sent.wait(60)
        time.sleep(0.3)
        p.signal(signal.SIGTERM)
        r = p.end(status=143)
    if r.details["status"]:
        assert r.details["headers"]["x"] == "y"


def test_a_signal_while_reading_standard_input():
    with Running("-D", "-d", "@-", "-t", 60, "ws://127.0.0.1:1/", stdin=subprocess.PIPE) as p:
        stdin, p.p.stdin = p.p.stdin, None
        time.sleep(0.5)
        p.signal(signal.SIGINT)
        r = p.end(status=130)
        stdin.close()
    assert r.details["reason"] == "interrupted" and r.details["phase"] == "input"


# stdout


def test_stdout_is_full():
    with Server(says("a")) as s, open("/dev/full", "wb") as full:
        p = subprocess.run([WSQUERY, s.url], stdout=full, stderr=subprocess.PIPE, env=environment(), timeout=100)
    assert p.returncode == 74 and p.stderr


def test_stdout_is_closed():
    with Server(says("a")) as s:
        p = subprocess.run(
            ["sh", "-c", 'exec "$0" "$@" >&-', WSQUERY, s.url], stderr=subprocess.PIPE, env=environment(), timeout=100
        )
    assert p.returncode == 74 and p.stderr


def test_stdout_is_a_pipe_without_a_reader():
    r, w = os.pipe()
    os.close(r)
    with Server(says("a")) as s:
        p = subprocess.run([WSQUERY, s.url], stdout=w, stderr=subprocess.PIPE, env=environment(), timeout=100)
    os.close(w)
    assert p.returncode == 74 and p.stderr


def test_stdout_is_not_read():
    r, w = os.pipe()
    begin = time.monotonic()
    with Server(says("x" * 500000)) as s:
        p = subprocess.run([WSQUERY, "-t", "1", s.url], stdout=w, stderr=subprocess.PIPE, env=environment(), timeout=100)
    assert p.returncode == 74 and p.stderr
    assert 0.9 < time.monotonic() - begin < 1 + SLACK
    os.close(r)
    os.close(w)


def test_stdout_is_read_late():
    # stdout is given up at the deadline, but not earlier
    with Server(says("x" * 500000)) as s, Running("-t", 60, s.url) as p:
        time.sleep(0.5)
        assert p.end(status=0).data == "x" * 500000


@pytest.fixture(params=["blocking", "nonblocking"])
def unread_terminal(request):
    """A terminal that nobody reads: poll says that it accepts bytes, but not how few. Its flags must not change."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    os.write(slave, b"x" * 2048)
    os.set_blocking(slave, request.param == "blocking")
    flags = fcntl.fcntl(slave, fcntl.F_GETFL)
    yield slave
    assert fcntl.fcntl(slave, fcntl.F_GETFL) == flags
    os.close(slave)
    os.close(master)


def test_stdout_is_a_terminal_that_is_not_read(unread_terminal):
    begin = time.monotonic()
    with Server(says("x" * 300000)) as s:
        p = subprocess.run([WSQUERY, "-t", "0.3", s.url], stdout=unread_terminal, stderr=subprocess.PIPE, env=environment(), timeout=100)
    assert p.returncode == 74 and p.stderr
    assert 0.25 < time.monotonic() - begin < 0.3 + SLACK


def test_stderr_is_a_terminal_that_is_not_read(unread_terminal):
    long = ["-H", "X: " + "x" * 500] * 40
    with Server(says("a")) as s:
        p = subprocess.run(
            [WSQUERY, "-v", *long, "-t", "60", s.url],
            stdout=subprocess.PIPE, stderr=unread_terminal, env=environment(), timeout=50,
        )  # fmt: skip
    assert p.returncode == 0 and json.loads(p.stdout)["data"] == "a"


class SlowReader(threading.Thread):
    """Reads a pipe to its end, a page every pause seconds."""

    def __init__(self, pause):
        super().__init__(daemon=True)
        self.fd, self.pipe = os.pipe()
        self.pause = pause
        self.got = 0

    def __enter__(self):
        self.start()
        return self.pipe

    def run(self):
        while True:
            got = len(os.read(self.fd, 4096))
            if not got:
                break
            self.got += got
            time.sleep(self.pause)
        os.close(self.fd)

    def __exit__(self, *unused):
        self.pause = 0
        os.close(self.pipe)
        self.join()


def test_stdout_is_read_too_slowly():
    reader = SlowReader(0.08)
    with Server(says("x" * 1000000)) as s, reader as w:
        p = subprocess.run([WSQUERY, "-t", "1", s.url], stdout=w, stderr=subprocess.PIPE, env=environment(), timeout=100)
    assert p.returncode == 74 and b"in time" in p.stderr
    assert reader.got < 1000000


def test_stderr_is_read_too_slowly():
    def script(c):
        c.upgrade(frame(TEXT, fin=False))
        block = frame(CONT, fin=False) * 30000
        while not c.server.stop.is_set():
            c.send(block)

    reader = SlowReader(0.08)
    with Server(script) as s, reader as w:
        begin = time.monotonic()
        p = subprocess.run([WSQUERY, "-v", "-n", "2", "-t", "1", s.url], stdout=subprocess.PIPE, stderr=w, env=environment(), timeout=100)
        assert time.monotonic() - begin < 1 + SLACK
    assert p.returncode == 3 and "error" in json.loads(p.stdout)
    assert reader.got < 180000  # what it read in a second, and what the pipe held


def test_an_alarm_of_the_parent_goes_on():
    # alarm(2) outlives exec; the ticks that interrupt our writes must not lose it
    r, w = os.pipe()
    with Server(says("x" * 500000)) as s:
        p = subprocess.run(
            [WSQUERY, "-t", "0", s.url], stdout=w, stderr=subprocess.PIPE, env=environment(), timeout=100,
            preexec_fn=lambda: signal.alarm(1),
        )  # fmt: skip
    os.close(r)
    os.close(w)
    assert p.returncode == -signal.SIGALRM


few_descriptors = pytest.mark.skipif(SANITIZED, reason="a sanitizer needs additional descriptors")


def limited(*args, closed=(), **limits):
    """Runs wsquery with descriptors closed, and with limits: NOFILE=4 is RLIMIT_NOFILE."""

    def prepare():
        for fd in closed:
            os.close(fd)
        for name, value in limits.items():
            resource.setrlimit(getattr(resource, "RLIMIT_" + name), (value, value))

    return subprocess.Popen(
        [WSQUERY, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), preexec_fn=prepare
    )


def test_stderr_is_a_file_that_is_full(tmp_path):
    with Server(says("a")) as s, open(tmp_path / "err", "wb") as err:
        p = subprocess.run(
            [WSQUERY, "-v", s.url], stdout=subprocess.PIPE, stderr=err, env=environment(), timeout=100,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
        )  # fmt: skip
    assert p.returncode == 0 and json.loads(p.stdout)["data"] == "a"


def test_stdout_is_a_file_that_is_full(tmp_path):
    with Server(says("a")) as s, open(tmp_path / "out", "wb") as out:
        p = subprocess.run(
            [WSQUERY, s.url], stdout=out, stderr=subprocess.PIPE, env=environment(), timeout=100,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
        )  # fmt: skip
    assert p.returncode == 74 and p.stderr


@few_descriptors
@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="no prlimit here")
@pytest.mark.parametrize("n", [0, 1])
def test_no_descriptor_is_left(n):
    # set from outside, as a program with shared libraries could not even start; poll refuses what is above the limit
    with Running("-D", "-d", "@-", "-t", 60, "ws://127.0.0.1:1/", stdin=subprocess.PIPE) as p:
        p.p.stdin.write(b"x")
        p.p.stdin.flush()
        time.sleep(0.2)
        resource.prlimit(p.p.pid, resource.RLIMIT_NOFILE, (n, n))
        r = p.end(status=1)
    assert r.details["reason"] == "io" and r.seconds < 50


@few_descriptors
def test_stdout_is_closed_and_nothing_can_take_its_place():
    # the one number left for the connection is that of stdout
    with Server(echo) as s:
        p = limited("-d", "x", "-t", "5", s.url, closed=[1], NOFILE=3)
        p.communicate(timeout=100)
        for c in s.conns:
            c.done.wait(60)
            assert all(f.payload in (b"x", b"\x03\xe8") for f in c.frames) and not c.buf
    assert p.returncode in (1, 74)


@few_descriptors
def test_no_pipe_for_signals():
    upgraded = threading.Event()

    def script(c):
        c.upgrade()
        upgraded.set()
        c.eof()

    with Server(script) as s:
        p = limited("-D", "-t", "60", s.url, closed=[0], NOFILE=4)
        assert upgraded.wait(60)
        time.sleep(0.5)
        with open("/proc/%d/stat" % p.pid) as f:
            ticks = sum(int(x) for x in f.read().rsplit(")", 1)[1].split()[11:13])
        p.send_signal(signal.SIGTERM)
        out, _ = p.communicate(timeout=50)
        s.wait()
        assert s.conn.rest[:1] in (b"", b"\x88")  # a close frame, and not what wakes poll
    assert p.returncode == 143 and json.loads(out)["details"]["reason"] == "interrupted"
    assert ticks < 0.4 * os.sysconf("SC_CLK_TCK")


def test_a_failure_goes_before_a_full_stdout():
    sock, port = unused_port()
    with sock, open("/dev/full", "wb") as full:
        p = subprocess.run([WSQUERY, "ws://127.0.0.1:%d" % port], stdout=full, stderr=subprocess.PIPE, env=environment(), timeout=100)
    assert p.returncode == 1


def test_no_stdin():
    with Server(echo) as s:
        p = subprocess.run(
            ["sh", "-c", 'exec "$0" "$@" <&-', WSQUERY, "-d", "x", s.url], capture_output=True, env=environment(), timeout=100
        )
    assert p.returncode == 0 and b'"x"' in p.stdout


def test_stdin_is_closed_but_needed():
    for option in (["-d", "@-"], ["-H", "@-"]):
        p = subprocess.run(
            ["sh", "-c", 'exec "$0" "$@" <&-', WSQUERY, *option, "ws://127.0.0.1:1/"], capture_output=True, env=environment(), timeout=100
        )
        assert p.returncode == 64 and b"closed" in p.stderr
