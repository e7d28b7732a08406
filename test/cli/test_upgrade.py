# SPDX-License-Identifier: ISC
"""The opening handshake: the request as the server sees it, which responses are accepted, and refusals."""

import base64
import re
import time

import pytest
from conftest import BUILT_IN, run
from servers import TEXT, Server, close_frame, echo, frame, says

SECRET = "s3cret-Pa55"


def basic(userpass):
    return "Basic " + base64.b64encode(userpass.encode()).decode()


def request(*args, url="", secrets=()):
    """The connection as the server saw it, of a query that succeeded."""
    with Server(says("a")) as s:
        run(*args, s.url + url, status=0, secrets=secrets)
        return s.conn


# the request


def test_request():
    with Server(says("a")) as s:
        run(s.url + "chat/a?b=c%20d", status=0)
        c = s.conn
        assert c.request_line == "GET /chat/a?b=c%20d HTTP/1.1"
        assert c.header("host") == s.hostport
    assert c.header("upgrade").lower() == "websocket"
    assert "upgrade" in [t.strip().lower() for t in c.header("connection").split(",")]
    assert len(base64.b64decode(c.header("sec-websocket-key"), validate=True)) == 16
    assert c.header("sec-websocket-version") == "13"
    assert re.fullmatch(r"wsquery/\d+\.\d+\.\d+", c.header("user-agent"))
    for absent in ("origin", "sec-websocket-protocol", "sec-websocket-extensions", "cookie", "authorization"):
        assert c.header(absent) is None
    assert c.request.endswith(b"\r\n\r\n") and b"\n" not in c.request.replace(b"\r\n", b"")


def test_key_is_fresh():
    with Server(says("a")) as s:
        for _ in range(3):
            run(s.url, status=0)
        assert len({c.header("sec-websocket-key") for c in s.conns}) == 3


@pytest.mark.parametrize("path, line", [("", "/"), ("?a=b", "/?a=b"), ("/", "/"), ("/x/../y", "/x/../y"), ("/\u00e9 \u20ac".replace(" ", "%20") + "?\u00fc=1", "/%C3%A9%20%E2%82%AC?%C3%BC=1")])
def test_path(path, line):
    with Server(says("a")) as s:
        run("ws://" + s.hostport + path, status=0)
        assert s.conn.request_line == "GET %s HTTP/1.1" % line


def test_userinfo_is_basic():
    with Server(says("a")) as s:
        r = run("-D", "ws://us%%65r:p%%40%s@%s/" % (SECRET, s.hostport), status=0, secrets=[SECRET, "p@" + SECRET])
        assert s.conn.header("authorization") == basic("user:p@" + SECRET)
        assert r.details["url"] == s.url


@pytest.mark.parametrize("args", [["-u", "joe:" + SECRET], ["--user=joe:" + SECRET]])
def test_user(args):
    c = request(*args, "-v", "-D", secrets=[SECRET, "joe:" + SECRET])
    assert c.header("authorization") == basic("joe:" + SECRET)


def test_bearer():
    c = request("--bearer", SECRET, "-v", "-D", secrets=[SECRET])
    assert c.header("authorization") == "Bearer " + SECRET


def test_user_goes_before_userinfo_and_header_before_both():
    with Server(says("a")) as s:
        url = "ws://a:b@" + s.hostport
        run("-u", "c:d", url, status=0)
        run("--bearer", "tok", url, status=0)
        run("-u", "c:d", "-H", "Authorization: Own e", url, status=0)
        run("-H", "authorization:", url, status=0)
        got = [c.header("authorization") for c in s.conns]
    assert got == [basic("c:d"), "Bearer tok", "Own e", None]


def test_secrets_from_files(tmp_path):
    f = tmp_path / "f"
    f.write_text("joe:%s\n" % SECRET)
    assert request("-u", "@%s" % f, "-v", secrets=[SECRET]).header("authorization") == basic("joe:" + SECRET)
    f.write_text(SECRET + "\n")
    assert request("--bearer", "@%s" % f, "-v", secrets=[SECRET]).header("authorization") == "Bearer " + SECRET
    f.write_text("id=%s\n" % SECRET)
    assert request("-b", "@%s" % f, "-v", secrets=[SECRET]).header("cookie") == "id=" + SECRET
    f.write_text("X-A: 1\nX-B: 2\r\nAuthorization: Own %s\n" % SECRET)
    c = request("-H", "@%s" % f, "-v", secrets=[SECRET])
    assert (c.header("x-a"), c.header("x-b"), c.header("authorization")) == ("1", "2", "Own " + SECRET)


def test_header_from_standard_input():
    with Server(says("a")) as s:
        run("-H", "@-", s.url, stdin=b"X-A: in\n", status=0)
        assert s.conn.header("x-a") == "in"


def test_headers():
    c = request("-H", "X-One: 1", "-H", "X-Two:  two words ", "--header", "x-one: 3")
    assert [v for n, v in c.headers if n == "x-one"] == ["1", "3"]
    assert c.header("x-two") == "two words"


def test_a_header_replaces_a_default():
    c = request("-H", "user-agent: mine", "-H", "Host: other.example", "-H", "Connection: keep-alive, Upgrade")
    assert c.header("user-agent") == "mine" and c.header("host") == "other.example"
    assert c.header("connection") == "keep-alive, Upgrade"


def test_a_header_removes_a_default():
    assert request("-H", "User-Agent:").header("user-agent") is None


def test_named_headers():
    c = request("--origin", "https://o.example", "-A", "agent 1", "--host", "h.example", "-b", "a=b; c=d", "-v")
    assert c.header("origin") == "https://o.example" and c.header("user-agent") == "agent 1"
    assert c.header("host") == "h.example" and c.header("cookie") == "a=b; c=d"


def test_cookies_are_masked():
    request("-b", "id=" + SECRET, "-H", "Cookie2: x", "-v", "-D", secrets=[SECRET])
    request("-H", "Cookie: id=" + SECRET, "-H", "Authorization: " + SECRET, "-v", "-D", secrets=[SECRET])


def test_the_last_of_a_single_valued_option_wins():
    c = request("-A", "first", "--user-agent=second", "--origin", "http://a", "--origin", "http://b")
    assert c.header("user-agent") == "second" and c.header("origin") == "http://b"


def test_options_may_follow_the_url():
    with Server(echo) as s:
        assert run(s.url, "-d", "x", "-A", "behind", status=0).data == "x"
        assert s.conn.header("user-agent") == "behind"


# what is accepted as an answer

GOOD = {
    "case": dict(Upgrade=b"WebSocket", Connection=b"UPGRADE"),
    "a list": dict(Connection=b"keep-alive, Upgrade"),
    "two Connection lines": dict(extra=["connection: keep-alive"]),
    "no reason phrase": dict(status=b"HTTP/1.1 101 "),
    "no space after the status": dict(status=b"HTTP/1.1 101"),
    "another reason": dict(status=b"HTTP/1.1 101 Web Socket Protocol Handshake"),
    "98 lines": dict(extra=["X-%d: y" % i for i in range(94)]),
    "near 16 KiB": dict(extra=["X: " + "y" * 15800]),
    "no space after a colon": dict(extra=["X:y", "Y:", "Z:\t z\t "]),
    "bytes over 127": dict(extra=[b"X: \xe9\xff"]),
    # RFC 9110 15.2: a 101 has no body, so headers about a body are ignored
    "Content-Length": dict(extra=["Content-Length: 5"]),
    "Content-Length 00": dict(extra=["Content-Length: 00"]),
    "Content-Length that is no number": dict(extra=["Content-Length: abc"]),
    "Transfer-Encoding": dict(extra=["Transfer-Encoding: chunked"]),
    # RFC 7230 3.2.4: folded lines are unfolded
    "a folded line": dict(extra=["X: y\r\n folded\r\n\tagain"]),
    "Connection in a folded line": dict(Connection=b"keep-alive,\r\n Upgrade"),
    # RFC 7230 3.5: LF alone ends a line
    "a line that ends in LF": dict(extra=["X: y\nZ: z"]),
}


@pytest.mark.parametrize("what", GOOD)
def test_accepted(what):
    def script(c):
        c.upgrade(frame(TEXT, "a"), **GOOD[what])
        c.finish()

    with Server(script) as s:
        assert run("-D", s.url, status=0).data == "a"


BAD = {
    "no Accept": dict(drop=["Sec-WebSocket-Accept"]),
    "Accept of another key": dict(Sec_WebSocket_Accept=b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
    "empty Accept": dict(Sec_WebSocket_Accept=b""),
    "no Upgrade": dict(drop=["Upgrade"]),
    "another Upgrade": dict(Upgrade=b"h2c"),
    "Upgrade in part": dict(Upgrade=b"websocketx"),
    "no Connection": dict(drop=["Connection"]),
    "Connection without the token": dict(Connection=b"keep-alive"),
    "Connection in part": dict(Connection=b"Upgraded"),
    "extension not offered": dict(extra=["Sec-WebSocket-Extensions: permessage-deflate"]),
    "subprotocol not offered": dict(extra=["Sec-WebSocket-Protocol: chat"]),
    "space before a colon": dict(extra=["X : y"]),
    "no colon": dict(extra=["nonsense"]),
    "empty name": dict(extra=[": y"]),
    "bare CR": dict(extra=["X: a\rb"]),
    "NUL": dict(extra=[b"X: a\0b"]),
    "control character": dict(extra=[b"X: a\x01b"]),
    "130 lines": dict(extra=["X-%d: y" % i for i in range(126)]),
    "over 16 KiB": dict(extra=["X: " + "y" * 16384]),
    "HTTP/2": dict(status=b"HTTP/2 101 Switching Protocols"),
    "HTTP/1.0": dict(status=b"HTTP/1.0 101 Switching Protocols"),
    "status of two digits": dict(status=b"HTTP/1.1 10 Switching Protocols"),
    "status with letters": dict(status=b"HTTP/1.1 1o1 Switching Protocols"),
    "no HTTP": dict(status=b"SSH-2.0-OpenSSH_9.2"),
}


@pytest.mark.parametrize("what", BAD)
def test_no_answer(what):
    def script(c):
        c.upgrade(frame(TEXT, "a"), **BAD[what])
        c.eof()
        assert c.rest == b"", "nothing may be sent on a connection that was not opened"

    with Server(script) as s:
        r = run("-D", "-t", 60, s.url, status=1)
    assert (r.details["phase"], r.details["reason"]) == ("upgrade", "handshake")
    assert s.hostport in r.error and r.seconds < 50


def test_accept_is_compared_byte_for_byte():
    def script(c):
        c.read_request()
        right = c.response()
        at = right.index(b"Accept: ") + 8
        value = right[at : at + 28]
        c.send(right[:at] + value.swapcase() + right[at + 28 :])
        c.eof()

    with Server(script) as s:
        assert run("-D", s.url, status=1).details["reason"] == "handshake"


def test_accept_given_twice():
    def script(c):
        c.read_request()
        right = c.response()
        line = [x for x in right.split(b"\r\n") if x.startswith(b"Sec-WebSocket-Accept")][0]
        c.send(right[:-2] + line + b"\r\n\r\n")
        c.eof()

    with Server(script) as s:
        assert run("-D", s.url, status=1).details["reason"] == "handshake"


def test_subprotocol_must_be_one_of_ours():
    with Server(lambda c: c.upgrade(extra=["Sec-WebSocket-Protocol: A"]).eof()) as s:
        assert run("-D", "-s", "a", s.url, status=1).details["reason"] == "handshake"
    with Server(lambda c: c.upgrade(extra=["Sec-WebSocket-Protocol: a, b"]).eof()) as s:
        assert run("-D", "-s", "a", "-s", "b", s.url, status=1).details["reason"] == "handshake"


def test_no_subprotocol_though_offered():
    # RFC 6455 4.1: the server may choose none
    c = request("-s", "a")
    assert c.header("sec-websocket-protocol") == "a"


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 101 Sw", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"])
def test_cut_off_in_the_head(head):
    with Server(lambda c: c.read_request().send(head)) as s:
        r = run("-D", s.url, status=1)
    assert r.details["phase"] == "upgrade" and r.details["reason"] in ("handshake", "closed", "reset")


def test_what_came_of_a_head_is_shown():
    with Server(lambda c: c.read_request().send(b"HTTP/1.1 401 Unauthorized\r\nX: y\r\n")) as s:
        r = run("-D", s.url, status=1)
    assert r.details["reason"] == "closed" and '"HTTP/1.1 401 Unauthorized"' in r.error


def test_reset_in_the_upgrade():
    with Server(lambda c: c.read_request().reset()) as s:
        r = run("-D", s.url, status=1)
    assert (r.details["phase"], r.details["reason"]) == ("upgrade", "reset")


def test_a_head_without_end():
    def script(c):
        c.read_request()
        c.send(b"HTTP/1.1 101 Switching Protocols\r\nX: ")
        while not c.server.stop.is_set():
            c.send(b"y" * 1000)

    with Server(script) as s:
        r = run("-D", "-t", 60, s.url, status=1)
    assert r.details["reason"] == "handshake" and r.seconds < 50


def test_lines_without_end():
    def script(c):
        c.read_request()
        c.send(b"HTTP/1.1 101 Switching Protocols\r\n")
        while not c.server.stop.is_set():
            c.send(b"a:b\r\n" * 10)

    with Server(script) as s:
        r = run("-D", "-t", 60, s.url, status=1)
    assert r.details["reason"] == "handshake" and r.seconds < 50


INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"


def interim(n, head=INTERIM):
    def script(c):
        c.read_request()
        c.send(head * n + c.response() + frame(TEXT, "a"))
        c.finish()

    return script


@pytest.mark.parametrize("n", [1, 8])
def test_interim_answers(n):
    with Server(interim(n)) as s:
        assert run("-D", s.url, status=0).details["status"] == 101


def test_interim_answers_without_end():
    with Server(interim(9)) as s:
        assert run("-D", s.url, status=1).details["reason"] == "handshake"
    with Server(interim(1000, b"HTTP/1.1 100 Continue\r\n\r\n")) as s:
        assert run("-D", s.url, status=1).details["reason"] == "handshake"


def test_bytes_behind_the_head_belong_to_the_first_frame():
    def script(c):
        c.upgrade(frame(TEXT, "a"), frame(TEXT, "b" * 3000), frame(TEXT, "c" * 20000), close_frame(1000))
        c.eof()

    with Server(script) as s:
        assert run("-n", 3, s.url, status=0).data == ["a", "b" * 3000, "c" * 20000]


def test_a_frame_cut_by_the_head():
    def script(c):
        f = frame(TEXT, "hello" * 30)
        c.upgrade(f[:3])
        time.sleep(0.05)
        c.send(f[3:])
        c.finish()

    with Server(script) as s:
        assert run(s.url, status=0).data == "hello" * 30


def test_all_lines_end_in_lf():
    def script(c):
        c.read_request()
        c.send(c.response().replace(b"\r\n", b"\n") + frame(TEXT, "a"))
        c.finish()

    with Server(script) as s:
        r = run("-D", s.url, status=0)
    assert r.data == "a" and r.details["headers"]["upgrade"] == "websocket"


# Problems that users of such tools have reported: the bytes that a server sends, the arguments before the URL, and what the
# error says. UP is a valid answer without its last empty line. One line is one case.

UP = object()
REPORTED = [
    ([b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"], [], "perhaps it wants a login (none was sent)", "some servers answer so for an unknown path"),
    ([b"HTTP/1.1 401 X\r\nWWW-Authenticate: Negotiate\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n"], [], "(Negotiate, Basic realm=\"x\")", "of these Basic works, with user and password (-u, --user)"),
    ([b"HTTP/1.1 401 X\r\nWWW-Authenticate: Digest realm=\"x\"\r\nContent-Length: 0\r\n\r\n"], ["-u", "joe:" + SECRET], "Digest realm", "the login that was sent was Basic; only Basic and Bearer are supported"),
    ([b"HTTP/1.1 401 X\r\nWWW-Authenticate: Bearer\r\nContent-Length: 0\r\n\r\n"], [], "Bearer works, with a token (--bearer)", "401"),
    ([b"HTTP/1.1 401 X\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"], ["-u", "joe:" + SECRET], "the user or password that was sent was refused", "401"),
    ([b"HTTP/1.1 401 Unauthorized\nWWW-Authenticate: Basic realm=\"cam\"\n\n"], [], "HTTP 401 Unauthorized", 'realm="cam"'),
    ([b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n"], [], "we did send \"Upgrade: websocket\"", "a proxy in between dropped the Upgrade header"),
    ([b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"], [], "perhaps a proxy in between dropped the Upgrade header", "400"),
    ([b"HTTP/1.1 400 Bad Request\r\nContent-Length: 35\r\n\r\nCan \"Upgrade\" only to \"WebSocket\"."], [], "Can \"Upgrade\" only", "so probably a proxy in between dropped the Upgrade header"),
    ([b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"], [], "check the path of the URL", "perhaps a proxy in between dropped the Upgrade header"),
    ([b"HTTP/1.1 400 Bad Request\r\nContent-Length: 47\r\n\r\nClient sent an HTTP request to an HTTPS server."], [], "try wss://", "\"Client sent an HTTP request to an HTTPS server.\""),
    ([b"HTTP/1.1 400 Bad Request\r\nContent-Length: 19\r\n\r\nmissing subprotocol"], [], "it wants a subprotocol (none was offered) (-s, --subprotocol)", "400"),
    ([b"HTTP/1.1 403 No\r\nContent-Length: 26\r\n\r\nrequest origin not allowed"], [], "it wants an Origin header (none was sent) (--origin)", "403"),
    ([b"HTTP/1.1 500 No\r\nContent-Length: 17\r\n\r\n\r\nbecause\r\nof it"], [], "(\"because\")", "500"),
    ([UP, b"Sec-WebSocket-Protocol: xmpp\r\n\r\n"], [], "the subprotocol \"xmpp\", but none was offered", "(-s xmpp)"),
    ([UP, b"Sec-WebSocket-Protocol: xmpp\r\n\r\n"], ["-s", "mqtt"], "the subprotocol \"xmpp\", which was not offered", "(-s xmpp)"),
    ([UP, b"Sec-WebSocket-Protocol: a`b`\r\n\r\n"], [], "the subprotocol \"a`b`\", but none was offered", "(-s, --subprotocol)"),
    ([UP, b"Sec-WebSocket-Protocol:\r\n\r\n"], [], "Sec-WebSocket-Protocol header is empty", ""),
    ([UP, b"Sec-WebSocket-Extensions: x-y\r\n\r\n"], [], "the extension \"x-y\", but none was offered", ""),
    ([b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"], [], "it begins with \"SSH-2.0-OpenSSH_9.2p1 Debian-2\"", ""),
    ([b"-ERR unknown command 'Host:'\r\n"], [], "it begins with \"-ERR unknown command 'Host:'\"", ""),
    ([b"220 mail.example ESMTP\r\n"], [], "it begins with \"220 mail.example ESMTP\"", ""),
    ([b"AMQP\0\0\x09\x01"], [], "it begins with \"AMQP\\x00\\x00\\x09\\x01\"", ""),
    ([b"\x15\x03\x01\0\2\2\50"], [], "it is TLS: try wss://", ""),
    ([b"HTTP/1.1 503 Busy\r\n" + b"Set-Cookie: a=b\r\n" * 101 + b"\r\n"], [], "HTTP 503 Busy", "its head has over 100 lines"),
    ([b"HTTP/1.1 403 No\r\nX: " + b"y" * 17000 + b"\r\n\r\n"], [], "HTTP 403 No", "its head is over 16384 bytes long"),
    ([b"HTTP/1.1 403 No\r\nX: y\1z\r\n\r\n"], [], "HTTP 403 No", "line 2 of its head has the control character 0x01"),
    ([b"HTTP/1.1 302 Found\r\nX\r\n\r\n"], [], "HTTP 302", "its header line \"X\" is not of the form"),
]


@pytest.mark.parametrize("answer, args, said, said_too", REPORTED)
def test_reported(answer, args, said, said_too):
    def script(c):
        c.read_request()
        for part in answer:
            c.send(c.response()[:-2] if part is UP else part)
        c.eof()

    with Server(script) as s:
        r = run("-D", *args, s.url, status=1, secrets=[SECRET])
    assert said in r.error and said_too in r.error
    status = re.match(rb"HTTP/1.1 (\d+)", answer[0]) if answer[0] is not UP else None
    assert r.details["status"] == (int(status[1]) if status else 101 if answer[0] is UP else None)


def test_a_body_that_quotes_a_secret_is_not_quoted():
    echo_it = b"no %s here" % SECRET.encode()
    for args in (["--bearer", SECRET], ["-u", "joe:" + SECRET], ["-b", "id=" + SECRET], ["-H", "X-Api-Key: " + SECRET]):
        with Server(lambda c: c.refuse("500 Oops", echo_it).eof()) as s:
            run(*args, s.url, status=1, secrets=[SECRET])
    with Server(lambda c: c.refuse("500 Oops", echo_it).eof()) as s:
        run(s.url + "?token=" + SECRET, status=1)
        assert SECRET not in run(s.url + "?token=" + SECRET, status=1).error.replace("?token=" + SECRET, "")


# answers without a body that is read


NO_BODY = {
    "an invalid head after an interim answer": b"HTTP/1.1 103 x\r\n\r\nhello",
    "a head that is too long": b"HTTP/1.1 403 x\r\n" + b"a: b\r\n" * 101,
}
if "redirects" in BUILT_IN:  # else a 30x is a refusal, whose body is read
    NO_BODY["a 30x without a Location"] = b"HTTP/1.1 302 x\r\nContent-Length: 5\r\n\r\nhello"
    NO_BODY["a 30x that leads nowhere"] = b"HTTP/1.1 302 x\r\nLocation: ftp://a\r\nContent-Length: 5\r\n\r\nhello"


@pytest.mark.parametrize("what", NO_BODY)
def test_a_body_that_was_not_read_is_null(what):
    with Server(lambda c: c.read_request().send(NO_BODY[what]).eof()) as s:
        assert run("-D", s.url, status=1).details["body"] is None


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_a_status_without_a_body(status):
    chunks = b"5\r\nhello\r\n0\r\n\r\n"
    assert refused(status, chunks, ["Transfer-Encoding: chunked"], length=False).details["body"] == ""


# refusals


def refused(status, body=b"", extra=(), args=(), **kw):
    with Server(lambda c: c.refuse(status, body, extra, **kw).eof()) as s:
        r = run("-D", *args, s.url, status=1)
    assert (r.details["phase"], r.details["reason"]) == ("upgrade", "http")
    code, phrase = status.split(" ", 1)
    assert code in r.error and phrase in r.error and s.hostport in r.error
    assert r.details["status"] == int(code)
    return r


@pytest.mark.parametrize("status", ["400 Bad Request", "403 Forbidden", "404 Not Found", "426 Upgrade Required", "500 Internal Server Error", "502 Bad Gateway"])
def test_refused(status):
    assert refused(status, b"because").details["body"] == "because"


def test_refused_with_200():
    e = refused("200 OK", b"<html>").error
    assert "endpoint" in e


def test_refused_with_401():
    assert "the realm 7" in refused("401 Unauthorized", extra=['WWW-Authenticate: Basic realm="the realm 7"']).error


@pytest.mark.parametrize("n", [1400, 1600, 8000])
def test_a_long_url_does_not_hide_the_cause(n):
    long = "/?t=" + "x" * n
    with Server(lambda c: c.refuse("401 Unauthorized", extra=['WWW-Authenticate: Basic realm="the realm 7"']).eof()) as s:
        error = run(s.url[:-1] + long, status=1).error
    assert "401 Unauthorized" in error and "the realm 7" in error and s.hostport in error
    with Server(lambda c: c.upgrade(drop=["Upgrade"]).eof()) as s:
        assert 'has no "Upgrade: websocket"' in run(s.url[:-1] + long, status=1).error


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
def test_refused_for_now(status):
    assert "120" in refused(status, extra=["Retry-After: 120"]).error


def test_refused_headers():
    h = refused("404 Not Found", extra=["X-A: 1", "X-a: 2", "Server: s/1"]).details["headers"]
    assert h["x-a"] == "1, 2" and h["server"] == "s/1" and h["content-length"] == "0"


def test_refused_body_is_cut():
    assert refused("404 Not Found", b"0123456789abcdef" * 100).details["body"] == "0123456789abcdef" * 64


def test_refused_body_chunked():
    chunks = b"4\r\nWiki\r\n6;ext=1\r\npedia \r\nC\r\nin \r\nchunks.\r\n0\r\nX: y\r\n\r\n"
    r = refused("404 Not Found", chunks, ["Transfer-Encoding: chunked"], length=False)
    assert r.details["body"] == "Wikipedia in \r\nchunks."


def test_refused_body_to_the_end_of_the_stream():
    def script(c):
        c.refuse("500 Oops", b"until the end", length=False)

    with Server(script) as s:
        assert run("-D", s.url, status=1).details["body"] == "until the end"


def test_refused_body_without_end():
    def script(c):
        c.refuse("404 Not Found", b"begin", length=False)
        c.hold()

    with Server(script) as s:
        r = run("-D", "-t", 60, s.url, status=1, within=1)
    assert r.details["body"] == "begin" and r.details["reason"] == "http"


def test_refused_body_dribbled():
    def script(c):
        c.refuse("404 Not Found", b"", ["Transfer-Encoding: chunked"], length=False)
        while not c.server.stop.wait(0.1):
            c.send(b"1\r\nx\r\n")

    with Server(script) as s:
        r = run("-D", "-t", 60, s.url, status=1, within=1)
    assert set(r.details["body"]) <= {"x"} and r.details["status"] == 404


def test_refused_body_is_flooded():
    def script(c):
        c.refuse("404 Not Found", b"", length=False)
        while not c.server.stop.is_set():
            c.send(b"z" * 65536)

    with Server(script) as s:
        r = run("-D", "-t", 60, s.url, status=1, within=1)
    assert r.details["body"] == "z" * 1024


@pytest.mark.parametrize("body", [b"\xff\xfe\0", b"\x1b[31mred", b"\xe2\x82" * 600])
def test_refused_body_of_any_bytes(body):
    assert isinstance(refused("404 Not Found", body).details["body"], str)


def test_hostile_reason_phrase():
    def script(c):
        c.read_request()
        c.send(b'HTTP/1.1 404 \xff"\\\t\xc3\xa9 no\r\nContent-Length: 0\r\n\r\n')
        c.eof()

    with Server(script) as s:
        assert run("-D", s.url, status=1).details["status"] == 404
