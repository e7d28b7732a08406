# SPDX-License-Identifier: ISC
"""--ping --every SEC -n N: many pings on one connection, and their summary."""

import re
import signal
import time

import pytest
from conftest import BUILT_IN, Running, run
from servers import PING, PONG, TEXT, CLOSE, Gone, Server, close_frame, frame, unused_port

FOREVER = 60  # a deadline that no test reaches


def pings(c):
    """The payloads of the client's pings, until its close frame."""
    while True:
        f = c.recv()
        if f.opcode == CLOSE:
            c.send(frame(CLOSE, f.payload[:2]))
            raise Gone
        assert f.opcode == PING
        yield f.payload


def pong(payload):
    return frame(PONG, payload)


def answers_all(c):
    c.upgrade()
    for p in pings(c):
        c.send(pong(p))


def answers_none(c):
    c.upgrade()
    for p in pings(c):
        pass


def answers_every_second(c):
    c.upgrade()
    for i, p in enumerate(pings(c)):
        if i % 2 == 0:
            c.send(pong(p))


def answers_twice(c):
    c.upgrade()
    for p in pings(c):
        c.send(pong(p), pong(p))


def answers_late_and_backwards(c):
    c.upgrade()
    got = pings(c)
    four = [next(got) for _ in range(4)]
    c.send(*(pong(p) for p in reversed(four)))
    answers_rest(c, got)


def answers_rest(c, got):
    for p in got:
        c.send(pong(p))


def sends_other_pongs(c):
    """Sends pongs that answer nothing before each answer, also one for the next ping."""
    c.upgrade(pong(b""), pong(b"0" * 24))
    for i, p in enumerate(pings(c)):
        c.send(pong(p[:-8] + b"%08x" % (i + 1)), pong(p + b"0"), pong(p[:-1]), pong(p.upper() + b"x"), pong(p))


def talks(c):
    """More messages than may be kept."""
    c.upgrade(frame(TEXT, "hello"))
    for p in pings(c):
        c.send(frame(TEXT, "x" * 90), pong(p), frame(TEXT, "y" * 90))


def guesses_the_next(c):
    """Answers the first ping, and the three that it has not seen yet."""
    c.upgrade()
    got = pings(c)
    first = next(got)
    c.send(pong(first), *(pong(first[:-8] + b"%08x" % i) for i in range(1, 4)))
    for p in got:
        pass


def closes_midway(c):
    c.upgrade()
    got = pings(c)
    for _ in range(2):
        c.send(pong(next(got)))
    next(got)
    c.send(close_frame(1001, "going")).eof()


def ends_midway(c):
    c.upgrade()
    next(pings(c))
    c.end()


def closes_when_all_are_answered(c):
    c.upgrade()
    got = pings(c)
    four = [next(got) for _ in range(4)]
    c.send(*(pong(p) for p in four), close_frame(1011, "bye")).eof()


ROWS = [
    # the server, deadline, status, sent, received, reason, error
    (answers_all, FOREVER, 0, 4, 4, "ok", None),
    (answers_none, 3, 3, 4, 0, "timeout", "no answer to any of 4 pings within"),
    (answers_every_second, 3, 3, 4, 2, "timeout", "only 2 of 4 pings were answered within"),
    (answers_twice, FOREVER, 0, 4, 4, "ok", None),
    (answers_late_and_backwards, FOREVER, 0, 4, 4, "ok", None),
    (sends_other_pongs, FOREVER, 0, 4, 4, "ok", None),
    (guesses_the_next, 3, 3, 4, 1, "timeout", "only 1 of 4 pings were answered within"),
    (talks, FOREVER, 0, 4, 4, "ok", None),
    (closes_midway, FOREVER, 3, None, 2, "closed", "1001 (going away): \"going\"; only 2 of 4 pings were answered"),
    (ends_midway, FOREVER, 3, None, 0, "closed", "no answer to any of 4 pings"),
    (closes_when_all_are_answered, FOREVER, 0, 4, 4, "ok", None),
]


@pytest.mark.parametrize("script, deadline, status, sent, received, reason, error", ROWS, ids=[r[0].__name__ for r in ROWS])
def test_pings(script, deadline, status, sent, received, reason, error):
    with Server(script) as s:
        at_least = deadline if deadline != FOREVER else None
        r = run("-p", "--every", "20ms", "-n", 4, "-t", deadline, "-D", "--max-message", 100, s.url, status=status, at_least=at_least)
        assert len(s.conns) == 1
    d = r.details
    got = d["pings"]
    assert (d["reason"], d["phase"]) == (reason, "done" if status == 0 else "ping")
    assert got["received"] == received and got["lost"] == got["sent"] - received
    assert sent is None or got["sent"] == sent
    if received:
        assert 0 <= got["min_ms"] <= got["median_ms"] <= got["max_ms"] <= d["timings_ms"]["total"]
    else:
        assert got["min_ms"] is got["median_ms"] is got["max_ms"] is None
    assert (d["timings_ms"]["ping"] is not None) == (status == 0)
    if status == 0:
        assert r.data is None and d["timings_ms"]["ping"] >= 60  # the fourth goes out after three times 20 ms
    else:
        assert r.error.startswith("ping to ") and error in r.error


def test_a_late_answer_counts_from_its_ping():
    """The first ping is answered with the fourth, which goes out 150 ms later."""
    with Server(answers_late_and_backwards) as s:
        got = run("-p", "--every", 0.05, "-n", 4, "-t", FOREVER, "-D", s.url, status=0).details["pings"]
    assert got["max_ms"] >= 140 and got["max_ms"] - got["min_ms"] >= 100  # 10 ms for the polling's granularity


def test_each_goes_out_at_its_time():
    """However slow the answers are, no ping is sent before its time, and none waits for the answer to another one."""
    times = []

    def script(c):
        c.upgrade()
        got = pings(c)
        payloads = []
        for p in got:
            times.append(time.monotonic())
            payloads.append(p)
            if len(payloads) == 5:
                assert len(set(payloads)) == 5
                c.send(*(pong(p) for p in payloads))

    with Server(script) as s:
        r = run("-p", "--every", 0.1, "-n", 5, "-t", FOREVER, "-D", s.url, status=0, at_least=0.4)
        assert len(s.conns) == 1
    assert len(times) == 5 and r.details["timings_ms"]["ping"] >= 400


@pytest.mark.parametrize("args", [("-n", 1), ("-n1", "-n", "1"), ("--count=1",)])
def test_one_ping(args):
    with Server(answers_all) as s:
        got = run("-p", "--every", "1h", *args, "-D", s.url, status=0).details["pings"]
    assert (got["sent"], got["received"], got["lost"]) == (1, 1, 0)
    assert got["min_ms"] == got["median_ms"] == got["max_ms"]


def test_closed_before_all_are_sent():
    def script(c):
        c.upgrade()
        c.send(pong(next(pings(c))), close_frame(1001, "going")).eof()

    with Server(script) as s:
        r = run("-p", "--every", "1h", "-n", 4, "-t", 0, "-D", s.url, status=3)
    got = r.details["pings"]
    assert (got["sent"], got["received"], got["lost"]) == (1, 1, 0)
    assert r.error.endswith("only 1 of 4 pings were answered (1 was sent)")


def test_fail_on_ends_it():
    def script(c):
        c.upgrade()
        next(pings(c))
        c.text("bad news").eof()

    with Server(script) as s:
        r = run("-p", "--every", "1h", "-n", 4, "-t", 0, "--fail-on", "bad", "-D", s.url, status=3)
    assert r.details["reason"] == "unmatched" and r.data == "bad news" and r.details["pings"]["sent"] == 1


@pytest.mark.parametrize("sig, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_midway(sig, status):
    def script(c):
        c.upgrade()
        got = pings(c)
        c.send(pong(next(got)), pong(next(got)))
        next(got)
        p.signal(sig)
        c.eof()

    with Server(script) as s:
        with Running("-p", "--every", "20ms", "-n", 10000, "-t", 0, "-D", s.url) as p:
            r = p.end(status=status)
    got = r.details["pings"]
    assert r.details["reason"] == "interrupted" and r.details["phase"] == "ping"
    assert got["sent"] >= 3 and got["received"] >= 1 and got["lost"] == got["sent"] - got["received"]


def test_another_try_counts_anew():
    with Server(closes_midway, answers_all) as s:
        d = run("-p", "--every", "10ms", "-n", 4, "-t", FOREVER, "-D", "--retry", 1, "--retry-delay", 0, s.url, status=0).details
    assert d["attempts"] == 2 and (d["pings"]["sent"], d["pings"]["lost"]) == (4, 0)


def test_several_urls():
    def answers_slowly(c):
        c.upgrade()
        got = pings(c)
        three = [next(got) for _ in range(3)]
        c.send(*(pong(p) for p in three))
        answers_rest(c, got)

    sock, port = unused_port()
    with Server(answers_all) as a, Server(answers_slowly) as b, sock:
        args = ("-p", "--every", "50ms", "-n", 3, "-t", FOREVER, "-D")
        out = run(*args, a.url, b.url, "ws://127.0.0.1:%d/" % port, status=1, json=False).out.decode()
    found = re.findall(r'"pings": (null|\{"sent": \d+, "received": \d+, "lost": \d+)', out)
    assert sorted(found) == sorted(['{"sent": 3, "received": 3, "lost": 0'] * 2 + ["null"])


def test_without_it_there_are_no_pings_in_the_details():
    with Server(answers_all) as s:
        assert "pings" not in run("-p", "-D", s.url, status=0).details


@pytest.mark.skipif("nagios" not in BUILT_IN, reason="nagios: not in this build")
def test_for_nagios():
    with Server(answers_all) as s:
        out = run("-f", "nagios", "-p", "--every", "1ms", "-n", 3, s.url, status=0, json=False).out.decode()
    t = r"\d+\.\d{6}s;;;0"
    assert re.fullmatch(
        r"WEBSOCKET OK - [^|]* answered 3 pings in [^|]* \| time=%s;10 pings_lost=0;;;0;3 ping_min=%s ping_median=%s ping_max=%s\n"
        % (t, t, t, t),
        out,
    )
    with Server(answers_none) as s:
        out = run("-f", "nagios", "-p", "--every", "1ms", "-n", 3, "-t", 3, s.url, status=2, json=False).out.decode()
    assert re.search(r" \| time=%s;3 pings_lost=3;;;0;3\n$" % t, out)


@pytest.mark.skipif("prometheus" not in BUILT_IN, reason="prometheus: not in this build")
def test_for_prometheus():
    sock, port = unused_port()
    with Server(answers_all) as a, Server(answers_none) as b, sock:
        urls = (a.url, b.url, "ws://127.0.0.1:%d/" % port)
        out = run("-f", "prometheus", "-p", "--every", "1ms", "-n", 3, "-t", 3, *urls, status=1, json=False).out.decode()
        plain = run("-f", "prometheus", "-p", a.url, status=0, json=False).out.decode()
    values = dict(re.findall(r'^probe_websocket_(ping\w+\{target="[^"]*")\} (\S+)$', out, re.M))
    for url, lost in ((a.url, "0"), (b.url, "3")):
        assert values.pop('pings_sent{target="%s"' % url) == "3"
        assert values.pop('pings_lost{target="%s"' % url) == lost
    times = [float(values.pop('ping_%s_seconds{target="%s"' % (name, a.url))) for name in ("min", "median", "max")]
    assert times == sorted(times) and not values
    assert out.count("# TYPE probe_websocket_pings_lost gauge") == 1
    assert "probe_websocket_ping" not in plain


URL = "ws://127.0.0.1:1/"
WRONG = [
    (["--every", "1", "-n", 2], "--every needs -p, --ping"),
    (["-p", "--every", "0", "-n", 2], "must be above 0"),
    (["-p", "--every", "soon", "-n", 2], "is not a duration"),
    (["-p", "--every", "1"], "needs -n, --count"),
    (["-p", "--every", "1", "-n", 0], "from 1 to 10000"),
    (["-p", "--every", "1ms", "-n", 10001, "-t", 0], "from 1 to 10000"),
    (["-p", "--every", "1", "-n", 2, "-d", "x"], "leave out -d, -e and --check"),
    (["-p", "--every", "1", "-n", 2, "-e", "x"], "leave out -d, -e and --check"),
    (["-p", "--every", "1", "--check"], "leave out -d, -e and --check"),
    (["-p", "--every", "1", "-n", 2, "-F"], "--follow"),
    (["-p", "--every", "1", "-n", 2, "--until", "x"], "--follow"),
    (["-p", "--every", "1", "-n", 11], "after 10 s, but -t, --timeout is 10 s: raise that"),
    (["-p", "--every", "0.5", "-n", 20, "-m", "9500ms"], "after 9.5 s, but -t, --timeout is 9.5 s: raise that"),
    (["-p", "--every", "1", "-n", 11, "-t", 20, "--wait", 5], "after 10 s, but --wait is 5 s"),
    (["-p", "--every", "2147483647ms", "-n", 10000, "-t", "2147483647ms"], "after 21472688986 s"),
]


@pytest.mark.parametrize("args, why", WRONG, ids=[" ".join(map(str, w[0])) for w in WRONG])
def test_wrong(args, why):
    assert why in run(*args, URL, status=64).err


RIGHT = [
    ["-n", 10, "--every", 1],
    ["-n", 11, "--every", 1, "-t", "10001ms"],
    ["-n", 10000, "--every", "1h", "-t", 0],
    ["-n", 10000, "--every", "1h", "-t", 0, "--wait", 0],
    ["-n", 1, "--every", "1h", "--wait", 1],
]


@pytest.mark.parametrize("args", RIGHT, ids=[" ".join(map(str, a)) for a in RIGHT])
def test_right(args):
    """The URL is invalid, so that the query ends at once."""
    r = run("-p", "-D", *args, "ws://", status=1)
    assert r.details["phase"] == "url" and r.details["pings"] is None
