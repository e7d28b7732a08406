# SPDX-License-Identifier: ISC
"""Redirects: which are followed, and what is never sent to another origin."""

import base64

import pytest
from conftest import needs, run
from servers import Server, echo, says, unused_port

pytestmark = needs("redirects")
SECRET = "s3cret-Pa55"


def basic(userpass):
    return "Basic " + base64.b64encode(userpass.encode()).decode()


def redirect(to, status="302 Found", **kw):
    def script(c):
        c.refuse(status, extra=["Location: " + (to() if callable(to) else to)])
        c.eof()

    return script


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"])
def test_redirected(status):
    with Server(redirect("/there?x", status), says("a")) as s:
        r = run("-D", s.url + "here", status=0)
        assert s.conns[1].request_line == "GET /there?x HTTP/1.1"
    assert r.details["url"] == s.url + "there?x" and r.data == "a"


@pytest.mark.parametrize("ref, path", [("b", "/a/b"), ("./b", "/a/b"), ("../b", "/b"), ("?y", "/a/x?y"), ("/c/./d", "/c/d"), ("b?c=../d", "/a/b?c=../d")])
def test_relative_reference(ref, path):
    with Server(redirect(ref), says("a")) as s:
        run(s.url + "a/x", status=0)
        assert s.conns[1].request_line == "GET %s HTTP/1.1" % path


@pytest.mark.parametrize("scheme", ["ws", "http"])
def test_redirected_to_another_origin(scheme):
    with Server(says("a")) as other, Server(redirect(lambda: "%s://%s/o" % (scheme, other.hostport))) as s:
        run(
            "-u", "joe:" + SECRET, "-b", "id=" + SECRET, "--host", "h.example", "-H", "X-Keep: 1", "-H", "Cookie: c=" + SECRET,
            "-v", "-D", s.url, status=0, secrets=[SECRET],
        )  # fmt: skip
        first, second = s.conn, other.conn
        assert second.header("host") == other.hostport
    assert first.header("authorization") == basic("joe:" + SECRET) and first.header("host") == "h.example"
    for name in ("authorization", "cookie"):
        assert second.header(name) is None
    assert second.header("x-keep") == "1"


def test_another_origin_gets_no_headers_of_the_first():
    with Server(says("a")) as other, Server(redirect(lambda: other.url)) as s:
        run("-H", "Authorization: " + SECRET, "-H", "Host: h.example", "ws://u:p@" + s.hostport, status=0, secrets=[SECRET])
        assert s.conn.header("authorization") == SECRET and s.conn.header("host") == "h.example"
        assert other.conn.header("authorization") is None and other.conn.header("host") == other.hostport


def test_the_same_origin_keeps_credentials():
    with Server(redirect("/x"), says("a")) as s:
        run("--bearer", SECRET, "-b", "id=1", s.url, status=0, secrets=[SECRET])
        assert s.conns[1].header("authorization") == "Bearer " + SECRET and s.conns[1].header("cookie") == "id=1"


# headers of the user that are not sent to another origin, and some that are
SECRET_HEADERS = ["Authorization", "Proxy-Authorization", "Cookie", "cookie2", "X-Api-Key", "X-Auth-Token", "X-Session-Id", "x-client-SECRET", "X-Amz-Credential"]
OTHER_HEADERS = ["X-Keep", "Accept-Language", "Referer"]


@pytest.mark.parametrize("name", SECRET_HEADERS + OTHER_HEADERS)
def test_headers_to_another_origin(name):
    with Server(says("a")) as other, Server(redirect(lambda: other.url)) as s:
        r = run("-v", "-H", "%s: %s" % (name, SECRET), s.url, status=0, secrets=[SECRET] if name in SECRET_HEADERS else [])
        assert s.conn.header(name.lower()) == SECRET
        assert other.conn.header(name.lower()) == (None if name in SECRET_HEADERS else SECRET)
    assert (SECRET in r.err) == (name in OTHER_HEADERS)


def test_back_from_another_origin():
    """After a redirect to another origin, which may have chosen the path, no secret is sent any more."""
    with Server(redirect(lambda: "ws://%s/back?evil" % s.hostport)) as other:
        with Server(redirect(lambda: other.url), redirect("/on"), says("a")) as s:
            run("-b", "id=" + SECRET, "-H", "X-Api-Key: " + SECRET, "-H", "X-Keep: 1", "ws://joe:%s@%s/" % (SECRET, s.hostport), status=0, secrets=[SECRET])
            first, back, on = s.conns
    assert first.header("authorization") == basic("joe:" + SECRET) and first.header("x-api-key") == SECRET
    for c in (other.conn, back, on):
        assert [c.header(h) for h in ("authorization", "cookie", "x-api-key", "x-keep")] == [None, None, None, "1"]
    assert on.request_line == "GET /on HTTP/1.1"


def test_bearer_to_another_origin_and_back():
    with Server(redirect(lambda: "ws://%s/back" % s.hostport)) as other:
        with Server(redirect(lambda: other.url), says("a")) as s:
            run("--bearer", SECRET, s.url, status=0)
            assert [c.header("authorization") for c in s.conns] == ["Bearer " + SECRET, None]
        assert other.conn.header("authorization") is None


# the Location, and the path of the next request; the secret is sent, but never shown
@pytest.mark.parametrize(
    "ref, path",
    [
        ("#x", "/a/x?token=%s&b=1"),
        ("?sig=%s", "/a/x?sig=%s"),
        ("/y?%%74oken=%s", "/y?%%74oken=%s"),
        ("y;session=%s", "/a/y;session=%s"),
    ],
)
def test_secrets_in_the_url_of_a_redirect(ref, path):
    fill = lambda text: text % SECRET if "%s" in text else text
    with Server(redirect(fill(ref)), redirect("#y"), lambda c: c.refuse("404 Not Found").eof()) as s:
        r = run("-v", "-D", "ws://joe:x@%s/a/x?token=%s&b=1" % (s.hostport, SECRET), status=1, secrets=[SECRET])
        assert [c.request_line for c in s.conns[1:]] == ["GET %s HTTP/1.1" % fill(path)] * 2
    assert r.details["url"] == s.url + path[1:].replace("%s", "***").replace("%%", "%")
    assert "/a/x?token=***&b=1 -> " in r.error


def test_secrets_in_a_location_that_is_not_followed():
    with Server(redirect("ftp://h/?token=" + SECRET, "302 Found"), redirect("/x?a=1@2&key=" + SECRET)) as s:
        r = run("-v", "-D", s.url, status=1, secrets=[SECRET])
        assert r.details["headers"]["location"] == "ftp://h/?token=***" and "ftp://h/?token=***" in r.error
        r = run("-v", "-D", "--max-redirs", 0, s.url, status=1, secrets=[SECRET])
        assert r.details["headers"]["location"] == "/x?a=1@2&key=***" and "/x?a=1@2&key=***" in r.error


def test_three_redirects_are_followed():
    with Server(redirect("/1"), redirect("/2"), redirect("/3"), says("a")) as s:
        assert run(s.url, status=0).data == "a"


def test_a_fourth_is_not():
    with Server(redirect("/x")) as s:
        r = run("-D", s.url, status=1)
        assert len(s.conns) == 4
    assert (r.details["phase"], r.details["reason"]) == ("upgrade", "redirect")


def test_max_redirs():
    with Server(redirect("/1"), redirect("/2"), says("a")) as s:
        assert run("-D", "--max-redirs", 1, s.url, status=1).details["reason"] == "redirect"
    with Server(*[redirect("/%d" % i) for i in range(6)], says("a")) as s:
        run("--max-redirs=6", s.url, status=0)


def test_no_redirects():
    with Server(redirect("/x")) as s:
        r = run("-D", "--max-redirs", 0, s.url, status=1)
        assert len(s.conns) == 1
    assert r.details["reason"] == "http" and r.details["status"] == 302 and "/x" in r.error
    assert r.details["headers"]["location"] == "/x"


@pytest.mark.parametrize("to", ["ftp://127.0.0.1/", "ws://u:%s@127.0.0.1:1/" % SECRET, "ws://[::1/", "http://", "ws://127.0.0.1:1/\x01", "//u:%s@127.0.0.1:1/" % SECRET])
def test_an_unusable_location(to):
    with Server(redirect(to)) as s:
        r = run("-D", s.url, status=1)
    assert r.details["reason"] in (("redirect",) if "\x01" not in to else ("redirect", "handshake"))


def test_a_location_beyond_ascii_is_sent_percent_encoded():
    with Server(redirect("/p\u00e4th".encode().decode("latin-1")), echo) as s:
        run("-d", "hi", s.url, status=0)
        assert s.wait().conns[1].request.startswith(b"GET /p%C3%A4th HTTP/1.1")


@pytest.mark.parametrize(
    "to, said",
    [
        ("/a b", "path, a space is written %20"),
        ("?a=<", "query, < is written %3C"),
        ("?token=s3cret<", "value of a parameter"),
        ("ws://a\\b:s3cret@127.0.0.1/", "user name, \\ is written %5C"),
        ("ws://b:s3\\cret@127.0.0.1/", "password"),
    ],
)
def test_the_culprit_in_a_location_is_named(to, said):
    with Server(redirect(to)) as s:
        r = run("-v", "-D", s.url, status=1, secrets=["s3cret", "cret"])
    assert r.details["reason"] == "redirect" and said in r.error


def test_no_location():
    with Server(lambda c: c.refuse("302 Found").eof()) as s:
        assert run("-D", s.url, status=1).details["reason"] == "redirect"


# each cause has its own sentence
@pytest.mark.parametrize(
    "headers, said",
    [
        ([], "it has no Location header"),
        (["Location: /a", "Location: /b"], "it has several Location headers"),
        (["Location:"], "its Location header is empty"),
        (["Location: /" + "a" * 8192], "its Location makes a URL of over 8192 bytes"),
    ],
)
def test_why_a_location_is_unusable(headers, said):
    with Server(lambda c: c.refuse("302 Found", extra=headers).eof()) as s:
        r = run("-D", s.url, status=1)
    assert r.details["reason"] == "redirect" and r.details["body"] is None and said in r.error


def test_the_limit_is_named():
    with Server(redirect("/a"), redirect("/b")) as s:
        assert "over the limit of redirects, which is 1" in run("--max-redirs", 1, s.url, status=1).error


def test_other_30x_are_no_redirects():
    with Server(lambda c: c.refuse("304 Not Modified", extra=["Location: /x"]).eof()) as s:
        assert run("-D", s.url, status=1).details["reason"] == "http"


def test_a_redirect_to_nobody():
    sock, port = unused_port()
    with sock, Server(redirect("ws://127.0.0.1:%d/" % port)) as s:
        r = run("-D", s.url, status=1)
    assert r.details["phase"] == "connect" and "127.0.0.1:%d" % port in r.error
    assert r.details["url"] == "ws://127.0.0.1:%d/" % port


def test_redirects_share_one_deadline():
    def slow(c):
        c.read_request()
        c.server.stop.wait(0.4)
        c.refuse("302 Found", extra=["Location: /x"])
        c.eof()

    with Server(slow) as s:
        r = run("-D", "-t", 1, "--max-redirs", 100, s.url, status=1, at_least=1, within=1)
    assert r.details["reason"] == "timeout"


def test_a_redirect_through_a_unix_socket(tmp_path):
    path = str(tmp_path / "s")
    with Server(redirect("/two"), says("a"), unix=path) as s:
        assert run("--unix-socket", path, "ws://example.com/one", status=0).data == "a"
        assert s.conns[1].request_line == "GET /two HTTP/1.1"
    with Server(says("a")) as other, Server(redirect(lambda: other.url), unix=path) as s:
        assert run("-D", "--unix-socket", path, "ws://example.com/one", status=1).details["reason"] == "redirect"
        assert not other.conns


def test_a_long_chain_needs_no_more_memory_than_a_short_one():
    with Server(redirect("/again")) as s:
        r = run("-D", "--max-redirs", "40", s.url, status=1)
        assert len(s.conns) == 41
    assert r.details["reason"] == "redirect" and r.details["headers"]["location"] == "/again" and "/again" in r.error


def test_userinfo_goes_to_the_first_origin_again():
    """Any form of Location that stays at the same origin."""
    with Server(redirect("two"), redirect(lambda: s.url + "three"), says("a")) as s:
        run("ws://joe:%s@%s/one" % (SECRET, s.hostport), status=0, secrets=[SECRET])
        assert [c.header("authorization") for c in s.conns] == [basic("joe:" + SECRET)] * 3


@pytest.mark.parametrize("n", [1400, 1600, 8000])
def test_a_long_location_does_not_hide_the_cause(n):
    long = "/?t=" + "x" * n
    with Server(lambda c: c.refuse("302 Found", extra=["Location: " + long]).eof(), lambda c: c.refuse("503 Busy").eof()) as s:
        assert "503 Busy" in run(s.url, status=1).error
    with Server(lambda c: c.refuse("302 Found", extra=["Location: ftp:" + long]).eof()) as s:
        assert "(HTTP 302): " in run(s.url, status=1).error
