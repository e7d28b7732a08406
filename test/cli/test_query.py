# SPDX-License-Identifier: ISC
"""The query: what is sent, received, closed and answered."""

import base64
import os
import re
import signal
import struct
import threading
import time

import pytest
from conftest import BUILT_IN, Running, needs, run
from servers import (
    BINARY,
    CLOSE,
    CONT,
    PING,
    PONG,
    TEXT,
    Server,
    close_frame,
    echo,
    frame,
    says,
    sends,
    unused_port,
)


# the object


def test_text_comes_back():
    with Server(echo) as s:
        r = run("-d", "Hello", s.url, status=0)
        assert r.json == {"connection": True, "data": "Hello"}
        assert [f.opcode for f in s.wait().conn.frames] == [TEXT, CLOSE]


def test_nobody_listens():
    sock, port = unused_port()
    with sock:
        r = run("-D", "ws://127.0.0.1:%d" % port, status=1)
    assert r.json["connection"] is False and r.data is None
    assert "127.0.0.1:%d" % port in r.error and "refused" in r.error.lower()
    assert (r.details["phase"], r.details["reason"]) == ("connect", "refused")


def test_server_speaks_first():
    with Server(says("welcome")) as s:
        assert run(s.url, status=0).json == {"connection": True, "data": "welcome"}
        assert s.wait().conn.closed == (1000, "")


def test_binary_is_base64():
    blob = bytes(range(256))
    with Server(says(blob)) as s:
        r = run(s.url, status=0)
    assert r.json == {"connection": True, "data": base64.b64encode(blob).decode(), "encoding": "base64"}


@pytest.mark.parametrize(
    "text",
    ["", "a\0b", "\0", "\u00e9\u20ac\U0001f600", '"\\/\b\f\n\r\t\x01\x1f\x7f', "\ufffd\uffff\u2028", "\U0010ffff"],
)
def test_any_text(text):
    with Server(says(text)) as s:
        assert run(s.url, status=0).json == {"connection": True, "data": text}


def test_empty_binary():
    with Server(says(b"")) as s:
        assert run(s.url, status=0).json == {"connection": True, "data": "", "encoding": "base64"}


@pytest.mark.parametrize("n", [0, 1, 125, 126, 127, 65535, 65536, 300000])
def test_every_length_of_header(n):
    with Server(echo) as s:
        assert run("-d", "@-", s.url, stdin=b"x" * n, status=0).data == "x" * n


def test_count():
    with Server(says("a", "b", "c", "d")) as s:
        assert run("-n", 3, s.url, status=0).json == {"connection": True, "data": ["a", "b", "c"]}


def test_count_with_binary():
    with Server(says("a", b"b", "c")) as s:
        r = run("--count=3", s.url, status=0)
    assert r.json == {"connection": True, "data": ["a", "Yg==", "c"], "encoding": [None, "base64", None]}


def test_count_one_is_no_array():
    with Server(says("a")) as s:
        assert run("-n1", s.url, status=0).data == "a"


def test_count_not_reached():
    def script(c):
        c.upgrade(frame(TEXT, "a"), frame(BINARY, b"b"))
        c.hold()

    with Server(script) as s:
        r = run("-n", 3, "-t", "0.7", "-D", s.url, status=3, at_least=0.7, within=0.7)
    assert r.data == ["a", "Yg=="] and r.json["encoding"] == [None, "base64"]
    assert (r.details["phase"], r.details["reason"]) == ("receive", "timeout")


def test_count_without_connection():
    sock, port = unused_port()
    with sock:
        r = run("-n", 2, "ws://127.0.0.1:%d" % port, status=1)
    assert r.data == [] and "encoding" not in r.json


def test_count_nothing_came():
    with Server(lambda c: c.upgrade().send(close_frame(1000)).eof()) as s:
        r = run("-n", 2, s.url, status=3)
    assert r.data == [] and "encoding" not in r.json


def test_count_zero():
    with Server(echo) as s:
        assert run("-d", "x", "-n", 0, s.url, status=0).json == {"connection": True, "data": None}
        assert [f.payload for f in s.wait().conn.frames][0] == b"x"


# the three depths


def test_check_waits_for_no_message():
    with Server(lambda c: c.upgrade().finish()) as s:
        assert run("--check", s.url, status=0).json == {"connection": True, "data": None}
        assert s.wait().conn.closed == (1000, "")
        assert [f.opcode for f in s.conn.frames] == [CLOSE]


def test_ping_is_enough():
    def script(c):
        c.upgrade()
        f = c.recv()
        assert f.opcode == PING and f.payload
        c.send(frame(PONG, f.payload))
        c.finish()

    with Server(script) as s:
        assert run("--ping", s.url, status=0).json == {"connection": True, "data": None}
        s.wait()


def test_ping_payload_is_fresh():
    payloads = []

    def script(c):
        c.upgrade()
        f = c.recv()
        payloads.append(f.payload)
        c.send(frame(PONG, f.payload))
        c.finish()

    with Server(script) as s:
        for _ in range(3):
            run("-p", s.url, status=0)
    assert len(set(payloads)) == 3


def test_only_its_own_pong_counts():
    def script(c):
        c.upgrade(frame(PONG))
        f = c.recv()
        assert f.opcode == PING
        c.send(frame(PONG, b"another"), frame(PONG, f.payload + b"x"), frame(PONG, f.payload[:-1]))
        c.eof()

    with Server(script) as s:
        r = run("-p", "-t", "0.6", "-D", s.url, status=3, at_least=0.6, within=0.6)
    assert (r.details["phase"], r.details["reason"]) == ("ping", "timeout")
    assert r.error.startswith("ping ")


def test_ping_then_message():
    def script(c):
        c.upgrade()
        f = c.recv()
        c.send(frame(TEXT, "early"), frame(PONG, f.payload), frame(TEXT, "late"))
        c.finish()

    with Server(script) as s:
        assert run("-p", "-n", 2, s.url, status=0).data == ["early", "late"]
        s.wait()


def test_ping_before_the_steps():
    with Server(echo) as s:
        assert run("-d", "x", "-p", s.url, status=0).data == "x"
        assert [f.opcode for f in s.wait().conn.frames] == [PING, TEXT, CLOSE]


def test_check_and_ping():
    with Server(echo) as s:
        assert run("--check", "--ping", s.url, status=0).data is None
        assert [f.opcode for f in s.wait().conn.frames] == [PING, CLOSE]


def test_closed_while_awaiting_the_pong():
    def script(c):
        c.upgrade()
        c.recv()
        c.send(close_frame(1011, "broken")).eof()

    with Server(script) as s:
        r = run("-p", "-D", s.url, status=3)
    assert (r.details["phase"], r.details["reason"]) == ("ping", "closed")
    assert r.details["close"] == {"code": 1011, "reason": "broken"}


# steps


def test_steps_in_their_order():
    def script(c):
        c.upgrade(frame(TEXT, "hello"))
        assert c.recv_message() == (TEXT, b"login")
        time.sleep(0.1)  # nothing more may have come by now
        assert c.buf == b""
        c.send(frame(TEXT, "noise"), frame(TEXT, "welcome joe"))
        assert c.recv_message() == (TEXT, b"get")
        c.send(frame(TEXT, "more noise"), frame(TEXT, "result 42"), frame(TEXT, "after"))
        c.finish()

    with Server(script) as s:
        r = run("-e", "^hello$", "-d", "login", "-e", "^welcome", "-d", "get", "-e", "^result [0-9]+$", s.url, status=0)
        assert r.json == {"connection": True, "data": "result 42"}
        s.wait()


def test_consumed_by_an_earlier_expect():
    with Server(says("a", "b", "c", "d")) as s:
        assert run("-e", "b", "-d", "x", "-n", 2, s.url, status=0).data == ["c", "d"]


def test_a_message_is_kept_during_a_send():
    def script(c):
        c.upgrade(frame(TEXT, "first"))
        assert c.recv_message() == (TEXT, b"1")
        c.text("second")
        assert c.recv_message() == (TEXT, b"2")
        c.finish()

    with Server(script) as s:
        assert run("-d", "1", "-d", "2", "-e", "second", s.url, status=0).data == "second"
        s.wait()
    with Server(script) as s:
        assert run("-d", "1", "-d", "2", "-n", 2, s.url, status=0).data == ["first", "second"]


def test_both_send_8_mib_before_they_read():
    n = 8 << 20

    def script(c):
        c.upgrade()
        c.send(frame(TEXT, b"s" * n))
        opcode, data = c.recv_message()
        assert (opcode, data) == (TEXT, b"c" * n)
        c.finish()

    with Server(script) as s:
        r = run("-t", 100, "--max-message", "9M", "-d", "@-", s.url, stdin=b"c" * n, status=0)
        assert r.data == "s" * n
        s.wait()


def test_expect_unmatched_shows_the_last():
    def script(c):
        c.upgrade(frame(TEXT, "a"), frame(TEXT, "b"))
        c.hold()

    with Server(script) as s:
        r = run("-e", "zzz", "-t", "0.6", "-D", s.url, status=3, within=0.6, at_least=0.6)
    assert r.data == "b" and r.details["phase"] == "receive"
    assert r.details["reason"] in ("unmatched", "timeout") and "zzz" in r.error


def test_the_limit_is_said_once():
    with Server(lambda c: c.upgrade().eof(), lambda c: c.upgrade(frame(TEXT, "a")).eof()) as s:
        r = run("-t", "0.6", s.url, status=3)
        assert "no message came within 600 ms; --check" in r.error and "limit" not in r.error
        r = run("-t", "0.6", "-e", "z", s.url, status=3)
        assert r.error.endswith(' within 600 ms') and "limit" not in r.error


def test_max_message_is_named():
    with Server(says("x" * 100)) as s:
        assert "--max-message: raise it" in run("--max-message", 10, s.url, status=3).error


def test_expect_then_closed():
    with Server(lambda c: c.upgrade(frame(TEXT, "a"), close_frame(1000)).eof()) as s:
        r = run("-e", "zzz", "-D", s.url, status=3)
    assert r.data == "a" and r.details["close"] == {"code": 1000, "reason": ""}


# unmatched -e, and --fail-on: test_query.c tests each state, these tests use real sockets, output and time


def test_a_refusal_in_the_middle_of_a_dialogue():
    script = lambda c: c.upgrade(frame(TEXT, "auth_required!"), frame(TEXT, "auth_invalid"), close_frame()).eof()
    with Server(script) as s:
        r = run("-D", "-e", "required", "-d", "tok", "-e", "auth_ok", "-d", "q", s.url, status=3)
    assert r.data == "auth_invalid" and r.details["reason"] == "closed" and "auth_ok" in r.error


def test_expect_unmatched_in_the_middle_in_time():
    with Server(lambda c: c.upgrade(frame(TEXT, "a"), frame(BINARY, b"b")).hold()) as s:
        r = run("-D", "-e", "a", "-d", "x", "-e", "zzz", "-d", "y", "-t", "0.6", s.url, status=3, at_least=0.6, within=0.6)
    assert r.json["data"] == "Yg==" and r.json["encoding"] == "base64" and r.details["reason"] == "unmatched"


def test_a_signal_shows_the_last_message():
    passed = threading.Event()

    def script(c):
        c.upgrade()
        c.text("no")
        c.send(frame(PING, b"p"))
        while c.recv().opcode != PONG:  # by then "no" has been received, too
            pass
        passed.set()
        c.eof()

    with Server(script) as s, Running("-D", "-e", "zzz", "-d", "x", "-t", 60, s.url) as p:
        assert passed.wait(60)
        p.signal(signal.SIGTERM)
        r = p.end(status=143)
    assert r.data == "no" and r.details["reason"] == "interrupted"


def test_fail_on():
    refusal = '44{"message":"not authorized"}'

    def script(c):
        c.upgrade(frame(TEXT, "hello"))
        c.recv_message()
        c.text(refusal)
        c.closed = c.recv_close()
        c.eof()

    with Server(script) as s:
        r = run("-D", "-t", 60, "-d", "40", "-e", "^40", "--fail-on", "not auth", "-d", "42", s.url, status=3)
        assert s.wait().conn.closed == (1000, "")
    assert r.data == refusal and r.seconds < 50
    assert (r.details["phase"], r.details["reason"]) == ("receive", "unmatched")
    assert '--fail-on "not auth"' in r.error and refusal in r.error


@pytest.mark.parametrize("args", [["--fail-on", "b", "-d", "x", "-e", "z"], ["-d", "x", "--fail-on=b", "-e", "z"], ["-d", "x", "-e", "z", "--fail-on", "b"]])
def test_fail_on_stands_anywhere(args):
    with Server(says("a", "b", "z")) as s:
        assert run(*args, s.url, status=3).data == "b"


def test_fail_on_is_no_step():
    with Server(says("a", "b")) as s:
        assert run("--fail-on", "z", s.url, status=0).data == "a"
    with Server(echo) as s:
        assert run("--ping", "--fail-on", "z", s.url, status=0).data is None
        assert run("-d", "x", "-n", 0, "--fail-on", "z", s.url, status=0).data is None
        assert run("-d", "x", "--fail-on", "z", "-n", 1, s.url, status=0).data == "x"
        assert run("--check", "--fail-on", "z", s.url, status=0).data is None


def test_fail_on_binary():
    with Server(says("a", b"\xff\x00bad")) as s:
        r = run("--fail-on", "^..bad$", "-e", "z", s.url, status=3)
    assert r.json["encoding"] == "base64" and base64.b64decode(r.data) == b"\xff\x00bad"
    assert "binary message of 5 bytes" in r.error


@needs("nagios")
@pytest.mark.parametrize("args", [["--bearer", "s3cretToken"], ["-u", "joe:s3cretToken"], ["-b", "id=s3cretToken"]])
def test_fail_on_quotes_no_secret(args):
    with Server(says("bad s3cretToken")) as s:
        r = run("--fail-on", "bad", "-f", "nagios", *args, s.url, status=2, json=False, secrets=["s3cretToken"])
    assert b"a text message of 15 bytes" in r.out


def test_fail_on_in_an_array():
    with Server(says("a", b"bad")) as s:
        r = run("--fail-on", "bad", "-n", 3, s.url, status=3)
    assert r.data == ["a", "YmFk"] and r.json["encoding"] == [None, "base64"]


def test_fail_on_raw():
    with Server(says("a", "bad")) as s:
        r = run("--fail-on", "bad", "-e", "z", "-f", "raw", s.url, status=3, json=False)
    assert r.out == b"bad\n" and '--fail-on "bad"' in r.err


def test_fail_on_tries_again():
    with Server(says("bad"), says("good")) as s:
        r = run("-D", "--fail-on", "bad", "--retry", 1, "--retry-delay", 0, s.url, status=0)
    assert r.data == "good" and r.details["attempts"] == 2


@pytest.mark.parametrize("where", [["-n", 1], ["-e", "no"], ["-n", 5]])
def test_a_costly_fail_on_keeps_the_deadline(where):
    def script(c):
        c.upgrade()
        for _ in range(40):
            c.send(frame(TEXT, b"a" * 1000000))
        c.hold()

    costly = "(a|aa)+(a|b)*c{5}z"
    with Server(script) as s:
        r = run("-D", "--max-message", "100M", "--fail-on", costly, "--fail-on", "x" + costly, *where, "-t", "0.5", s.url, within=0.5, into_file=True)
    if r.status:  # a fast machine may have matched a message by then
        assert r.status == 3 and r.details["reason"] in ("timeout", "unmatched") and r.data


def test_many_small_messages_and_a_costly_pattern_keep_the_deadline():
    n = 60000

    def script(c):
        c.upgrade()
        f = c.recv()
        c.send(frame(TEXT, "a" * 60) * n, frame(PONG, f.payload))  # kept, then matched one after another
        c.eof()

    with Server(script) as s:
        run("-p", "--max-message", "1G", "-e", "(a?){255}(a?){255}(a?){255}(a?){255}b", "-t", "1", s.url, status=3, within=1)


@pytest.mark.parametrize(
    "pattern, text, matches",
    [
        ("^a.c$", "a\u20acc", True),
        ("^.$", "\U0001f600", True),
        ("^.$", "\0", True),
        ("a{2,3}", "aa", True),
        ("^a{2,3}$", "aaaa", False),
        ("(x|y)+z", "xyxz", True),
        ("", "", True),
        ("(|b)", "a", True),
        ("[[:digit:]]+", "no 7", True),
        ("[^a-z]", "abc", False),
        ("\\.", "a", False),
        ("^$", "", True),
    ],
)
def test_patterns(pattern, text, matches):
    with Server(lambda c: c.upgrade(frame(TEXT, text), close_frame(1000)).eof()) as s:
        r = run("-e", pattern, s.url, status=0 if matches else 3)
    assert r.data == text


def test_a_pattern_against_binary():
    with Server(says("abc", b"\x00abc")) as s:
        assert run("-e", "^.abc$", s.url, status=0).json["encoding"] == "base64"


def test_a_costly_pattern_keeps_the_deadline():
    def script(c):
        c.upgrade()
        for _ in range(40):
            c.send(frame(TEXT, b"a" * 1000000))
        c.hold()

    with Server(script) as s:
        run("-e", "(a|aa)+(a|b)*c{5}z", "-t", 1, s.url, status=3, within=1, into_file=True)


def test_sent_as_binary():
    with Server(echo) as s:
        assert run("-B", "-d", "@-", s.url, stdin=b"\xff\x00", status=0).data == "/wA="
        assert s.wait().conn.frames[0].opcode == BINARY


def test_data_from_a_file(tmp_path):
    f = tmp_path / "message"
    f.write_text("from a file\n")
    with Server(echo) as s:
        assert run("-d", "@%s" % f, s.url, status=0).data == "from a file\n"


def test_data_raw():
    with Server(echo) as s:
        assert run("--data-raw", "@-", s.url, status=0).data == "@-"


def test_empty_data():
    with Server(echo) as s:
        assert run("-d", "", s.url, status=0).data == ""


# the end of a connection


def test_silent_server():
    with Server(lambda c: c.upgrade().eof()) as s:
        r = run("-t", "0.7", "-D", s.url, status=3, within=0.7, at_least=0.7)
    assert r.json["connection"] is True and r.data is None
    assert (r.details["phase"], r.details["reason"]) == ("receive", "timeout")
    assert "--check" in r.error and re.search(r"\b\d+(\.\d+)? m?s\b", r.error)


CLOSES = {
    1000: "normal",
    1001: "going away",
    1002: "protocol error",
    1003: "unsupported",
    1007: "",
    1008: "policy",
    1009: "too big",
    1010: "extension",
    1011: "internal",
    1012: "restart",
    1013: "later",
    1014: "gateway",
    3000: "",
    3999: "",
    4000: "",
    4999: "",
}


@pytest.mark.parametrize("code", CLOSES)
def test_closed_first(code):
    def script(c):
        c.upgrade()
        c.send(close_frame(code, "gr\u00fcnde"))
        c.closed = c.recv_close()
        c.eof()

    with Server(script) as s:
        r = run("-D", s.url, status=3)
        assert s.wait().conn.closed[0] == code  # RFC 6455 5.5.1: the code is echoed
    assert r.data is None and str(code) in r.error and "gr\u00fcnde" in r.error and CLOSES[code] in r.error.lower()
    assert r.details["close"] == {"code": code, "reason": "gr\u00fcnde"}
    assert (r.details["phase"], r.details["reason"]) == ("receive", "closed")


def test_closed_without_a_code():
    def script(c):
        c.upgrade()
        c.send(close_frame())
        c.closed = c.recv_close()

    with Server(script) as s:
        r = run("-D", s.url, status=3)
        assert s.wait().conn.closed[0] in (None, 1000)  # 1005 is never sent
    assert r.details["close"] == {"code": 1005, "reason": ""}


@pytest.mark.parametrize("part", [b"", b"\x81", b"\x81\x05", b"\x81\x05ab", b"\x81\x7e\x01", b"\x01\x02ab", b"\x88\x02\x03"])
def test_end_of_file_is_1006(part):
    with Server(lambda c: c.upgrade().send(part)) as s:
        r = run("-D", s.url, status=3)
    assert r.data is None and "1006" in r.error
    assert r.details["close"] == {"code": 1006, "reason": ""} and r.details["reason"] in ("closed", "reset")


def test_a_reset_is_1006():
    def script(c):
        c.upgrade()
        c.recv()
        c.reset()

    with Server(script) as s:
        r = run("-D", "-d", "x", s.url, status=3)
    assert r.details["close"] == {"code": 1006, "reason": ""} and r.details["reason"] == "reset"


def test_a_message_before_the_close_counts():
    with Server(lambda c: c.upgrade(frame(TEXT, "last words"), close_frame(1001)).eof()) as s:
        assert run(s.url, status=0).data == "last words"


def test_no_close_is_shown_after_the_answer():
    with Server(says("a")) as s:
        assert run("-D", s.url, status=0).details["close"] is None


AFTER = {
    "garbage": b"\xff\xff\xff\xff garbage",
    "bad utf-8": frame(TEXT, b"\xff"),
    "close 1011": close_frame(1011, "late"),
    "too big": frame(BINARY, b"", length=1 << 40, wide=8),
    "text": frame(TEXT, "more"),
}


@pytest.mark.parametrize("what", AFTER)
def test_what_comes_after_the_answer_changes_nothing(what):
    def script(c):
        c.upgrade(frame(TEXT, "answer"))
        c.recv_close()
        c.send(AFTER[what])
        c.eof()

    with Server(script) as s:
        r = run("-D", "--close-timeout", "0.3", s.url, status=0)
    assert r.data == "answer" and r.details["reason"] == "ok"


def test_a_reset_after_the_answer_changes_nothing():
    def script(c):
        c.upgrade(frame(TEXT, "answer"))
        c.recv_close()
        c.reset()

    with Server(script) as s:
        assert run(s.url, status=0).data == "answer"


def test_printed_before_the_close_is_awaited():
    printed = threading.Event()

    def script(c):
        c.upgrade(frame(TEXT, "answer"))
        c.closed = c.recv_close()
        c.in_time = printed.wait(60)
        c.send(close_frame(1000))

    with Server(script) as s, Running("--close-timeout", 60, "-t", 60, s.url) as p:
        line = p.p.stdout.readline()
        assert line == b'{"connection": true, "data": "answer"}\n'
        printed.set()
        r = p.p.wait(60)
        assert r == 0 and s.wait().conn.in_time


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("args, status", [(["-e", "answer"], 0), (["--fail-on", "answer"], 3)])
def test_a_signal_after_the_answer_ends_the_waiting_for_the_close(number, args, status):
    with Server(lambda c: c.upgrade(frame(TEXT, "answer")).hold()) as s:
        with Running("--close-timeout", 60, "-t", 60, *args, s.url) as p:
            assert b'"answer"' in p.p.stdout.readline()
            p.signal(number)
            assert p.p.wait(50) == status
            assert p.p.stdout.read() == b""


def test_the_server_never_closes():
    with Server(lambda c: c.upgrade(frame(TEXT, "a")).hold()) as s:
        run("-t", 60, s.url, status=0, at_least=1, within=1)


def test_close_timeout_zero():
    with Server(lambda c: c.upgrade(frame(TEXT, "a")).hold()) as s:
        r = run("--close-timeout", 0, "-t", 60, s.url, status=0)
    assert r.seconds < 30


def test_close_timeout_stays_within_the_timeout():
    with Server(lambda c: c.upgrade(frame(TEXT, "a")).hold()) as s:
        run("--close-timeout", 100, "-t", 1, s.url, status=0, at_least=1, within=1)


# pings and fragments


def test_pings_are_answered_and_move_nothing():
    def script(c):
        c.upgrade()
        n = 0
        while True:
            c.send(frame(PING, b"%d" % n))
            f = c.recv()
            if f.opcode == CLOSE:
                break
            assert f.opcode == PONG and f.payload == b"%d" % n
            n += 1
            c.server.stop.wait(0.05)
            c.n = n

    with Server(script) as s:
        r = run("-t", "1", s.url, status=3, at_least=1, within=1)
        assert s.wait().conn.n > 2
    assert r.data is None


def test_many_pings_at_once_need_one_pong():
    def script(c):
        c.upgrade()
        c.send(b"".join(frame(PING, b"%d" % i) for i in range(5000)), frame(TEXT, "done"))
        c.finish()

    with Server(script) as s:
        assert run(s.url, status=0).data == "done"
        s.wait()
        pongs = [f.payload for f in s.conn.frames if f.opcode == PONG]
        assert all(p.isdigit() for p in pongs)
        assert pongs and pongs[-1] == b"4999"  # RFC 6455 5.5.3: the most recent, at least


def test_fragments_and_control_frames_between():
    parts = [
        frame(TEXT, "a\u20ac".encode()[:2], fin=False),
        frame(PING, b"p"),
        frame(CONT, b"", fin=False),
        frame(CONT, "a\u20ac".encode()[2:3], fin=False),
        frame(PONG, b"unasked"),
        frame(CONT, "a\u20ac".encode()[3:] + b"z"),
    ]

    def script(c):
        c.upgrade(b"".join(parts))
        c.finish()

    with Server(script) as s:
        assert run(s.url, status=0).data == "a\u20acz"
        assert [f.payload for f in s.wait().conn.frames if f.opcode == PONG] == [b"p"]


def test_byte_by_byte():
    def script(c):
        c.read_request()
        c.dribble(
            c.response() + frame(TEXT, "x" * 130, fin=False) + frame(PING, b"p") + frame(CONT, "\u20ac", wide=0), 0.001
        )
        c.finish()

    with Server(script) as s:
        assert run(s.url, status=0).data == "x" * 130 + "\u20ac"


def test_empty_fragments_without_end():  # undici, ws
    def script(c):
        c.upgrade(frame(TEXT, b"", fin=False))
        while not c.server.stop.is_set():
            c.send(frame(CONT, b"", fin=False) * 1000)

    with Server(script) as s:
        run("-t", 1, s.url, status=3, within=1)


# limits


def test_a_message_of_just_the_limit():
    with Server(says("x" * 1000)) as s:
        assert run("--max-message", 1000, s.url, status=0).data == "x" * 1000


# limits of a message, not only of a frame (undici)
BIG = {
    "one frame": frame(TEXT, "x" * 1001),
    "promised": frame(TEXT, b"", length=1001),
    "promised 64-bit": frame(BINARY, b"", length=(1 << 63) - 1, wide=8),
    "fragments": frame(TEXT, "x" * 600, fin=False) + frame(CONT, "x" * 401),
    "promised fragment": frame(TEXT, "x" * 600, fin=False) + frame(CONT, b"", length=401, fin=False),
}


@pytest.mark.parametrize("what", BIG)
def test_a_message_over_the_limit(what):
    with Server(sends(BIG[what])) as s:
        r = run("--max-message", 1000, "-D", s.url, status=3)
        assert s.wait().conn.closed[0] == 1009
    assert "--max-message" in r.error and r.details["reason"] == "too_big" and r.data is None


def test_the_default_limit_is_1_mib():
    with Server(says(b"\0" * (1 << 20))) as s:
        run(s.url, status=0)
    with Server(sends(frame(BINARY, b"", length=(1 << 20) + 1, wide=8))) as s:
        assert "--max-message" in run(s.url, status=3).error


@pytest.mark.parametrize("size, n", [("1k", 1 << 10), ("2M", 2 << 20), ("1G", 1 << 30)])
def test_suffixes_of_the_limit(size, n):
    with Server(sends(frame(BINARY, b"", length=n + 1, wide=8 if n > 65535 else 2))) as s:
        run("--max-message", size, s.url, status=3)
        assert s.wait().conn.closed[0] == 1009


def test_the_limit_holds_for_all_that_is_kept():
    with Server(sends(frame(TEXT, "x" * 400) * 3)) as s:
        r = run("--max-message", 1000, "-n", 3, "-D", s.url, status=3)
        assert s.wait().conn.closed[0] == 1009
    assert "--max-message" in r.error and r.details["reason"] == "too_big"
    assert r.data == ["x" * 400] * 2


def test_the_limit_holds_for_what_comes_during_a_ping():
    def script(c):
        c.upgrade()
        f = c.recv()
        c.send(frame(TEXT, "x" * 400) * 3, frame(PONG, f.payload))
        c.closed = c.recv_close()

    with Server(script) as s:
        r = run("--max-message", 1000, "-p", "-n", 1, "-D", s.url, status=3)
        assert s.wait().conn.closed[0] == 1009
    assert "--max-message" in r.error and r.details["reason"] == "too_big"


def test_what_expect_passes_over_is_not_kept():
    with Server(says(*(["x" * 900] * 10 + ["found"]))) as s:
        assert run("--max-message", 1000, "-e", "found", s.url, status=0).data == "found"


# violations: the server sees the code, the user the reason

BAD_UTF8 = {
    "lone continuation": b"\x80",
    "ff": b"\xff",
    "overlong slash": b"\xc0\xaf",
    "c1": b"\xc1\x80",
    "overlong three": b"\xe0\x80\xaf",
    "surrogate": b"\xed\xa0\x80",
    "overlong four": b"\xf0\x80\x80\xaf",
    "over 10ffff": b"\xf4\x90\x80\x80",
    "f5": b"\xf5\x80\x80\x80",
    "broken off": b"\xe2\x82a",
}


@pytest.mark.parametrize("what", BAD_UTF8)
def test_bad_utf8_at_its_first_wrong_byte(what):
    # the rest of the frame never comes: a client that waits for it never closes
    with Server(sends(frame(TEXT, b"good \xe2\x82\xac " + BAD_UTF8[what], length=100))) as s:
        r = run("-D", "-t", 60, s.url, status=3)
        assert s.wait().conn.closed[0] == 1007
    assert r.details["reason"] == "utf8" and r.data is None and r.seconds < 50


@pytest.mark.parametrize(
    "parts",
    [
        [frame(TEXT, b"\xe2\x82")],
        [frame(TEXT, b"ab\xf0\x9f", fin=False), frame(CONT, b"")],
        [frame(TEXT, b"\xe2", fin=False), frame(CONT, b"\x28", fin=False)],
        [frame(TEXT, b"\xe2", fin=False), frame(PING, b"x"), frame(CONT, b"\x82\xac\xff", fin=False)],
        [close_frame(1000, b"\xff")],
        [close_frame(1000, b"ab\xe2\x82")],
    ],
)
def test_bad_utf8_over_fragments_and_in_reasons(parts):
    with Server(sends(*parts)) as s:
        r = run("-D", s.url, status=3)
        assert s.wait().conn.closed[0] == 1007
    assert r.details["reason"] == "utf8"


def test_no_utf8_check():
    with Server(says("x")) as s:
        run("--no-utf8-check", s.url, status=0)

    def script(c):
        c.upgrade(frame(TEXT, b"a\xffb\xe2\x82"))
        c.finish()

    with Server(script) as s:
        data = run("--no-utf8-check", s.url, status=0).data
    assert data.startswith("a\ufffdb\ufffd") and set(data) == set("ab\ufffd")


# the order of continuations (not checked by mongoose) and lengths that overflow (gorilla, undici, libre) are among these
VIOLATIONS = {
    "rsv1": frame(TEXT, "x", rsv=4),
    "rsv2": frame(TEXT, "x", rsv=2),
    "rsv3": frame(TEXT, "x", rsv=1),
    "rsv on a ping": frame(PING, "x", rsv=4),
    "masked": frame(TEXT, "x", key=b"abcd"),
    "masked with zeros": frame(TEXT, "x", key=b"\0\0\0\0"),
    "masked ping": frame(PING, b"", key=b"abcd"),
    "ping of 126": frame(PING, b"x" * 126),
    "close of 126": frame(CLOSE, b"\x03\xe8" + b"x" * 124),
    "fragmented ping": frame(PING, b"x", fin=False),
    "fragmented close": frame(CLOSE, b"\x03\xe8", fin=False),
    "16-bit length not minimal": frame(TEXT, "x" * 125, wide=2),
    "64-bit length not minimal": frame(TEXT, "x" * 126, wide=8),
    "64-bit length of 65535": frame(BINARY, b"", length=65535, wide=8),
    "top bit of the length": frame(BINARY, b"", length=1 << 63, wide=8),
    "all bits of the length": frame(BINARY, b"", length=(1 << 64) - 1, wide=8),
    "continuation of nothing": frame(CONT, "x"),
    "unfinished continuation of nothing": frame(CONT, "x", fin=False),
    "text within a message": frame(TEXT, "x", fin=False) + frame(TEXT, "y"),
    "binary within a message": frame(TEXT, "x", fin=False) + frame(BINARY, b"y", fin=False),
    "close frame of one byte": frame(CLOSE, b"\x03"),
    "an HTTP answer": b"HTTP/1.1 200 OK\r\n\r\n",
}
VIOLATIONS.update({"opcode %d" % n: frame(n, b"") for n in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)})
VIOLATIONS.update(
    {
        "close code %d" % n: close_frame(n)
        for n in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
    }
)


@pytest.mark.parametrize("what", VIOLATIONS)
def test_violation(what):
    with Server(sends(VIOLATIONS[what])) as s:
        r = run("-D", "-t", 60, s.url, status=3)
        assert s.wait().conn.closed[0] == 1002
    assert r.details["reason"] == "protocol" and r.data is None and r.seconds < 50


def test_a_violation_after_a_message():
    with Server(sends(frame(TEXT, "good"), frame(TEXT, "x", rsv=4))) as s:
        r = run("-n", 2, "-D", s.url, status=3)
    assert r.data == ["good"] and r.details["reason"] == "protocol"


def test_hidden_bytes_in_a_reason_stay_json():
    with Server(lambda c: c.upgrade(close_frame(4000, "a\0\x1b[31m\"\\\u2028")).eof()) as s:
        r = run("-D", s.url, status=3)
    assert r.details["close"]["reason"] == "a\0\x1b[31m\"\\\u2028"
    assert "\x1b" not in r.error  # an error may be shown on a terminal


# details


def test_details_are_whole():
    with Server(lambda c: c.upgrade(frame(TEXT, "a"), extra=["X-One: 1", "x-one: 2", "Server: t"]).finish()) as s:
        d = run("-D", s.url + "chat?x=1", status=0).details
    assert d["url"] == s.url + "chat?x=1"
    assert d["address"] == "127.0.0.1:%d" % s.port
    assert d["status"] == 101 and d["phase"] == "done" and d["reason"] == "ok" and d["attempts"] == 1
    assert d["headers"]["x-one"] == "1, 2" and d["headers"]["server"] == "t"
    assert d["headers"]["upgrade"] == "websocket"
    assert d["body"] is None and d["subprotocol"] is None and d["tls"] is None and d["close"] is None
    t = d["timings_ms"]
    assert t["resolve"] is None and t["tls"] is None and t["ping"] is None
    assert 0 <= t["connect"] <= t["total"] and 0 <= t["upgrade"] <= t["total"]
    assert 0 <= t["first_message"] <= t["total"]


def test_a_long_url_is_shown_in_part():
    with Server(says("a")) as s:
        d = run("-D", s.url + "x" * 5000, status=0).details
        assert s.conn.request_line == "GET /%s HTTP/1.1" % ("x" * 5000)
    assert len(d["url"]) <= 2048 and d["url"].startswith(s.url + "xxx")


def test_details_without_a_connection():
    sock, port = unused_port()
    with sock:
        d = run("-D", "ws://127.0.0.1:%d/" % port, status=1).details
    for name in ("status", "headers", "body", "subprotocol", "extensions", "tls", "close"):
        assert d[name] is None, name
    assert d["timings_ms"]["upgrade"] is None and d["timings_ms"]["total"] >= 0


def test_times_have_three_decimals():
    with Server(says("a")) as s:
        out = run("-D", s.url, status=0).out.decode()
    assert re.search(r'"total": ?\d+\.\d{3}[,}]', out)


def test_details_of_a_ping():
    with Server(echo) as s:
        t = run("-D", "-p", s.url, status=0).details["timings_ms"]
    assert t["ping"] >= 0 and t["first_message"] is None


def test_first_message_counts_from_the_last_send_before_it():
    def script(c):
        c.upgrade()
        c.recv_message()
        time.sleep(0.3)
        c.text("a")
        c.finish()

    with Server(script) as s:
        t = run("-D", "-d", "x", s.url, status=0).details["timings_ms"]
    assert 300 <= t["first_message"] <= t["total"]


def test_subprotocol_in_details():
    with Server(lambda c: c.upgrade(frame(TEXT, "a"), extra=["Sec-WebSocket-Protocol: b"]).finish()) as s:
        d = run("-D", "-s", "a", "-s", "b", s.url, status=0).details
        assert s.conn.header("sec-websocket-protocol").replace(" ", "") == "a,b"
    assert d["subprotocol"] == "b"


# ways to the server


def test_ipv6():
    with Server(echo, host="::1") as s:
        r = run("-D", "-d", "x", s.url, status=0)
        assert s.conn.header("host") == "[::1]:%d" % s.port
    assert r.details["address"] == "[::1]:%d" % s.port


def test_unix_socket(tmp_path):
    path = str(tmp_path / "s")
    with Server(echo, unix=path) as s:
        r = run("-D", "-d", "x", "--unix-socket", path, "ws://example.com/chat", status=0)
        assert s.conn.header("host") == "example.com" and s.conn.request_line == "GET /chat HTTP/1.1"
    assert r.details["address"] == "unix:" + path


def test_unix_socket_absent(tmp_path):
    r = run("-D", "--unix-socket", tmp_path / "none", "ws://example.com/", status=1)
    assert r.details["phase"] == "connect" and str(tmp_path / "none") in r.error


@pytest.mark.parametrize("addr, host", [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("[::1]", "::1")])
def test_resolve(addr, host):
    with Server(echo, host=host) as s:
        r = run("-D", "-d", "x", "--resolve", "some.example:%d:%s" % (s.port, addr), "ws://some.example:%d/" % s.port, status=0)
        assert s.conn.header("host") == "some.example:%d" % s.port
    assert r.details["address"] == s.hostport


def test_resolve_adds_addresses():
    with Server(echo) as s:
        name = "some.example:%d:" % s.port
        r = run("-D", "-d", "x", "--resolve", name + "127.0.0.2", "--resolve", name + "127.0.0.1", "ws://some.example:%d" % s.port, status=0)
    assert r.details["address"] == s.hostport


def test_all_addresses_failed_and_are_named():
    sock, port = unused_port()
    with sock:
        name = "some.example:%d:" % port
        r = run("-D", "--resolve", name + "127.0.0.1", "--resolve", name + "127.0.0.2", "--resolve", name + "::1", "ws://some.example:%d" % port, status=1)
    for a in ("127.0.0.1", "127.0.0.2", "::1"):
        assert a in r.error
    assert (r.details["phase"], r.details["reason"]) == ("connect", "refused")


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST", "a.b.localhost", "localhost."])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_localhost_is_both_loopbacks(name, host):
    with Server(echo, host=host) as s:
        assert run("-d", "x", "ws://%s:%d/" % (name, s.port), status=0).data == "x"


@pytest.mark.parametrize("flag, host, ok", [("-4", "127.0.0.1", True), ("-6", "::1", True), ("-4", "::1", False), ("-6", "127.0.0.1", False)])
def test_one_family(flag, host, ok):
    with Server(echo, host=host) as s:
        run(flag, "-d", "x", "ws://localhost:%d/" % s.port, status=0 if ok else 1)
        if ok:
            run("-4" if flag == "-6" else "-6", flag, "-d", "x", "ws://localhost:%d/" % s.port, status=0)


def test_interface():
    with Server(echo) as s:
        run("--interface", "127.0.0.3", "-d", "x", s.url, status=0)
        assert s.conn.peer[0] == "127.0.0.3"


def test_keepalive():
    with Server(echo) as s:
        run("--keepalive", 5, "-d", "x", s.url, status=0)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "ftp://127.0.0.1/",
        "ws://",
        "ws:///x",
        "ws://127.0.0.1:99999/",
        "ws://127.0.0.1:0x50/",
        "ws://127.0.0.1/#fragment",
        "ws://[::1/",
        "ws://a b/",
        "ws://127.0.0.1/\r\nX: y",
        "ws://" + "a" * 9000,
        "ws://user@/",
    ],
)
def test_a_bad_url_is_a_query_that_failed(url):
    r = run("-D", "-t", 5, "--", url, status=1)
    assert (r.details["phase"], r.details["reason"]) == ("url", "url")


@pytest.mark.parametrize("url", [b"ws://127.0.0.1:1/\xff\xfe\xc3", b"ws://\xc3\xa9.invalid/", b"\xff", b"ws://127.0.0.1:1/%zz"])
def test_any_bytes_in_a_url_give_one_object(url):
    run("-D", "-t", 1, url, status=1)


def test_http_is_ws():
    with Server(echo) as s:
        assert run("-d", "x", s.url.replace("ws://", "http://"), status=0).data == "x"
        assert run("-d", "x", s.url.replace("ws://", "WS://"), status=0).data == "x"


@pytest.mark.skipif("mbedtls" in BUILT_IN, reason="this build has TLS")
def test_wss_without_tls():
    r = run("-D", "wss://127.0.0.1:1/", status=1)
    assert r.details["reason"] == "unsupported"
