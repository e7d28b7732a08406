# SPDX-License-Identifier: ISC
"""--data-expand: parts of the message that an -e matched go into the next one."""

import pytest
from conftest import run
from servers import PONG, TEXT, Server, frame, says

URL = "ws://127.0.0.1:1/"


def asks(*messages):
    """Sends each message, and keeps in .got what comes after it."""

    def script(c):
        c.upgrade()
        c.got = []
        for m in messages:
            c.send(frame(2 if isinstance(m, bytes) else TEXT, m))
            c.got.append(c.recv_message()[1])
        c.text("done")
        c.finish()

    return script


def sent(*args, messages=("id=42;user=joe",), **kw):
    with Server(asks(*messages)) as s:
        r = run(*args, "-e", "done", s.url, **kw)
        return r, [m if isinstance(m, str) else m.decode() for m in s.wait().conn.got]


EXPANDED = [
    ("id=([0-9]+)", "${1}", "42"),
    ("id=([0-9]+)", "n ${1}, ${1}", "n 42, 42"),
    ("id=([0-9]+);user=(.*)", '{"id": ${1}, "user": "${2}"}', '{"id": 42, "user": "joe"}'),
    ("id", "${0}!", "id=42;user=joe!"),
    ("id=(4|42|2)", "$$${1}$$", "$42$"),
    ("(x)?id", "[${1}]", "[]"),
    ("id", "no $$ {0} group", "no $ {0} group"),
    ("(i)(d)(=)(4)(2)(;)(u)(s)(e)(r)", "${9}${8}${7}${6}${5}${4}${3}${2}${1}", "esu;24=di"),
    ("id", "@${0}", "@id=42;user=joe"),
]


@pytest.mark.parametrize("pattern, text, want", EXPANDED)
def test_expanded(pattern, text, want):
    r, got = sent("-e", pattern, "--data-expand", text, status=0)
    assert got == [want] and r.data == "done"


def test_the_latest_expect_counts():
    r, got = sent("-e", "(.*)", "--data-expand", "1 ${1}", "-d", "between", "-e", "b=(.*)", "--data-expand=2 ${1}",
                  messages=["a=1", "skipped", "b=2"], status=0)
    assert got == ["1 a=1", "between", "2 2"]


def test_what_the_server_sends_is_not_expanded_again():
    r, got = sent("-e", "(.*)", "--data-expand", "<${1}>", messages=["${0} $$ ${1}"], status=0)
    assert got == ["<${0} $$ ${1}>"]


def test_a_kept_message():
    """The message arrived during an earlier send, and waits in the store."""

    def script(c):
        c.upgrade(frame(TEXT, "token=7"))
        ping = c.recv()
        c.send(frame(PONG, ping.payload))
        c.got = c.recv_message()[1]
        c.text("done")
        c.finish()

    with Server(script) as s:
        assert run("-p", "-e", "token=(.)", "--data-expand", "<${1}>", s.url, status=0).data == "done"
        assert s.wait().conn.got in ("<7>", b"<7>")


def test_an_empty_text():
    r, got = sent("-e", "(x*)id", "--data-expand", "${1}", status=0)
    assert got == [""]


def test_retry_begins_anew():
    def drops(c):
        c.upgrade(frame(TEXT, "t=1"))
        c.recv_message()
        c.reset()

    with Server(drops, asks("t=2")) as s:
        r = run("-D", "--retry", 1, "--retry-delay", 0, "-e", "t=(.)", "--data-expand", "${1}", "-e", "done", s.url, status=0)
        assert s.conns[1].got == ["2"] or s.conns[1].got == [b"2"]
    assert r.details["attempts"] == 2


def test_binary():
    with Server(asks(b"id=\xff\xfe;")) as s:
        run("-B", "-e", "id=(.*);", "--data-expand", "<${1}>", "-e", "done", s.url, status=0)
        assert s.wait().conn.got == [b"<\xff\xfe>"]


def test_the_result_must_be_utf8():
    with Server(says(b"id=\xff;")) as s:
        r = run("-D", "-e", "id=(.*);", "--data-expand", "ab${1}", s.url, status=3)
    assert (r.details["phase"], r.details["reason"]) == ("send", "utf8")
    assert "byte 3" in r.error and "--binary" in r.error


def test_half_a_character():
    with Server(says(b"id=\xc3")) as s:
        r = run("-D", "-e", "id=(.*)", "--data-expand", "ab${1}", s.url, status=3)
    assert r.details["reason"] == "utf8" and "byte 3" in r.error


def test_max_message():
    with Server(says("x" * 1000), asks("x" * 1000)) as s:
        r = run("-D", "--max-message", 2999, "-e", "x", "--data-expand", "${0}${0}${0}", s.url, status=3)
        assert (r.details["phase"], r.details["reason"]) == ("send", "too_big") and "--max-message" in r.error
        run("--max-message", 3000, "-e", "x", "--data-expand", "${0}${0}${0}", "-e", "done", s.url, status=0)


WRONG = [
    (["--data-expand", "${0}"], "before any -e"),
    (["--data-expand", "${0}", "-e", "(a)"], "before any -e"),
    (["-e", "a", "--data-expand", "${1}"], "no groups"),
    (["-e", "(a)(b)", "--data-expand", "${3}"], "2 groups"),
    (["-e", "(a)(b)", "-e", "(a)", "--data-expand", "${2}"], "1 group"),
    (["-e", "a", "--data-expand", "$"], "$$"),
    (["-e", "a", "--data-expand", "$0"], "$$"),
    (["-e", "a", "--data-expand", "${"], "$$"),
    (["-e", "a", "--data-expand", "${0"], "$$"),
    (["-e", "a", "--data-expand", "${10}"], "$$"),
    (["-e", "a", "--data-expand", "${x}"], "$$"),
    (["-e", "a", "--data-expand", "$$$"], "$$"),
    (["-e", '"(.*?)"', "--data-expand", "${1}"], "[^x]*"),
    (["-e", "(a", "--data-expand", "${1}"], "( without )"),
    (["-e", "(a)", "--data-expand", b"\xff${1}"], "UTF-8"),
    (["--check", "--data-expand", "${0}", "-e", "a"], "before any -e"),
]


@pytest.mark.parametrize("args, needle", WRONG)
def test_wrong(args, needle):
    assert needle in run(*args, URL, status=64).err


def test_shortest_repetitions_work_where_no_group_is_asked_for():
    r, got = sent("-e", "i.*?=", "--data-expand", "${0}", status=0)
    assert got == ["id=42;user=joe"]


def test_what_was_matched_is_not_shown():
    """-v shows what the server sends, but not what we send. An error does not repeat it."""

    def script(c):
        c.upgrade(frame(TEXT, "first"), frame(TEXT, "token=s3cretToken"))
        c.recv_message()
        c.text("bad: s3cretToken")
        c.finish()

    with Server(script) as s:
        r = run("-v", "-e", "token=(.*)", "--data-expand", "<<${1}>>", "--fail-on", "bad", s.url, status=3)
    assert "> text, 15 bytes: made by --data-expand\n" in r.err and "<<" not in r.err
    assert "s3cretToken" not in r.error and "text message of 16 bytes" in r.error


def test_costly_groups_keep_the_deadline():
    text = "a" * 900000 + "c"
    with Server(lambda c: c.upgrade(frame(TEXT, text)).hold()) as s:
        costly = "((((a*)*)*(a|aa)*(b|ab)*)*(a{50}|(a{49})*))*c"
        r = run("-D", "-e", costly, "--data-expand", "${1}", "-t", "1", s.url, within=1, into_file=True)
    if r.status:
        assert r.details["reason"] in ("timeout", "closed")
