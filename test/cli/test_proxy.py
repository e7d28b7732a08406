# SPDX-License-Identifier: ISC
"""Proxies: the bytes of each dialogue, the environment, refusals, and what is never sent to a proxy or a server."""

import base64
import re
import socket
import struct

import pytest
from conftest import needs, run
from servers import TEXT, Server, echo, frame, pump, says, unused_port

pytestmark = needs("proxies")
SECRET = "pr0xy-s3cret"


def tunnel(c, hostport, after=b""):
    """Copies bytes between the client and hostport until the end, beginning with those in after."""
    c.target = hostport
    s = socket.create_connection(hostport, 100)
    try:
        if c.buf:
            s.sendall(c.buf)
        pump(c.sock, s)
    finally:
        s.close()


def connect(answer=b"HTTP/1.1 200 Connection established\r\n\r\n", to=None):
    """An HTTP proxy."""

    def script(c):
        c.read_request()
        method, target, version = c.request_line.split(" ")
        assert (method, version) == ("CONNECT", "HTTP/1.1") and c.header("host") == target
        assert re.fullmatch(r"wsquery/\d+\.\d+\.\d+", c.header("user-agent"))
        host, port = target.rsplit(":", 1)
        c.asked = target
        c.send(answer)
        tunnel(c, to or (host.strip("[]"), int(port)))

    return script


def socks4(code=90, to=None):
    def script(c):
        v, cmd, port = struct.unpack(">BBH", c.read(4))
        addr = c.read(4)
        c.user = c.read_until(b"\0")[:-1]
        host = socket.inet_ntoa(addr)
        if addr[:3] == b"\0\0\0" and addr[3]:
            host = c.read_until(b"\0")[:-1].decode()
        assert (v, cmd) == (4, 1)
        c.asked = (host, port)
        c.send(struct.pack(">BBH", 0, code, 0) + b"\0\0\0\0")
        if code == 90:
            tunnel(c, to or c.asked)

    return script


def socks5(reply=0, user=None, method=None, auth=0, bound=b"\1\0\0\0\0\0\0", to=None):
    def script(c):
        v, n = c.read(2)
        c.methods = c.read(n)
        assert v == 5
        m = method if method is not None else 2 if user else 0
        c.send(bytes([5, m]))
        if m == 0xFF:
            return
        if m == 2:
            assert c.read(1) == b"\1"
            c.user = c.read(c.read(1)[0]) + b":" + c.read(c.read(1)[0])
            c.send(bytes([1, auth]))
            if auth:
                return
        v, cmd, rsv, kind = c.read(4)
        assert (v, cmd, rsv) == (5, 1, 0)
        if kind == 1:
            host = socket.inet_ntoa(c.read(4))
        elif kind == 4:
            host = socket.inet_ntop(socket.AF_INET6, c.read(16))
        else:
            assert kind == 3
            host = c.read(c.read(1)[0]).decode()
        c.asked = (host, struct.unpack(">H", c.read(2))[0])
        c.send(bytes([5, reply, 0]) + bound)
        if reply == 0:
            tunnel(c, to or c.asked)

    return script


@pytest.fixture
def target():
    with Server(echo) as s:
        yield s


def test_http(target):
    with Server(connect()) as p:
        r = run("-D", "-d", "x", "-x", "http://" + p.hostport, target.url, status=0)
        assert p.conn.asked == target.hostport
        assert r.data == "x" and r.details["address"] == p.hostport
        assert p.conn.header("proxy-authorization") is None
        assert target.conn.request_line == "GET / HTTP/1.1" and target.conn.header("host") == target.hostport


def test_http_leaves_the_name_to_the_proxy(target):
    with Server(connect(to=("127.0.0.1", target.port))) as p:
        run("-d", "x", "-x", p.url.replace("ws:", "http:"), "ws://no.such.example:%d/" % target.port, status=0)
        assert p.conn.asked == "no.such.example:%d" % target.port


def test_http_ipv6_target():
    with Server(echo, host="::1") as t, Server(connect()) as p:
        run("-d", "x", "-x", "http://" + p.hostport, t.url, status=0)
        assert p.conn.asked == "[::1]:%d" % t.port


def test_http_proxy_on_ipv6(target):
    with Server(connect(), host="::1") as p:
        run("-d", "x", "-x", "http://" + p.hostport, target.url, status=0)


def test_http_basic(target):
    with Server(connect()) as p:
        run("-D", "-v", "-d", "x", "-x", "http://j%%6fe:%s@%s" % (SECRET, p.hostport), target.url, status=0, secrets=[SECRET, "joe:" + SECRET])
        assert p.conn.header("proxy-authorization") == "Basic " + base64.b64encode(b"joe:" + SECRET.encode()).decode()
        assert target.conn.header("proxy-authorization") is None


def test_url_in_a_file(target, tmp_path):
    f = tmp_path / "proxy"
    with Server(connect()) as p:
        f.write_text("http://joe:%s@%s\n" % (SECRET, p.hostport))
        run("-D", "-v", "-d", "x", "-x", "@%s" % f, target.url, status=0, secrets=[SECRET, "joe:" + SECRET])
        assert p.conn.header("proxy-authorization") == "Basic " + base64.b64encode(b"joe:" + SECRET.encode()).decode()
    f.write_text("bad://joe:%s@h\n" % SECRET)
    run("-x", "@%s" % f, target.url, status=64, secrets=[SECRET, "joe:" + SECRET])


def test_the_target_s_secrets_stay_from_the_proxy(target):
    with Server(connect()) as p:
        run("-d", "x", "-u", "u:" + SECRET, "-b", SECRET, "-H", "X-S: " + SECRET, "-x", "http://" + p.hostport, target.url, status=0)
        assert SECRET.encode() not in p.conn.request
        assert p.conn.header("authorization") is None and p.conn.header("cookie") is None


@pytest.mark.parametrize("answer", [b"HTTP/1.0 200 OK\r\nVia: x\r\n\r\n", b"HTTP/1.1 204 Fine\r\nX: y\r\n\r\n"])
def test_http_answers(target, answer):
    with Server(connect(answer)) as p:
        run("-d", "x", "-x", "http://" + p.hostport, target.url, status=0)


def test_bytes_behind_the_proxy_s_answer_are_not_lost():
    def script(c):
        c.read_request()
        c.send(b"HTTP/1.1 200 OK\r\n\r\n")
        c.read_request()
        c.upgrade(frame(TEXT, "a"))
        c.finish()

    def all_at_once(c):
        c.read_request()
        # a byte at a time, so that answer, head and frame meet in every way
        c.dribble(b"HTTP/1.1 200 OK\r\n\r\n", 0.002)
        c.read_request()
        c.dribble(c.response() + frame(TEXT, "a"), 0.002)
        c.finish()

    for s in (script, all_at_once):
        with Server(s) as p:
            assert run("-x", "http://" + p.hostport, "ws://some.example/", status=0).data == "a"


@pytest.mark.parametrize("status", ["407 Proxy Authentication Required", "403 Forbidden", "502 Bad Gateway"])
def test_http_refuses(status):
    with Server(lambda c: c.refuse(status, b"body").eof()) as p:
        r = run("-D", "-x", "http://u:%s@%s" % (SECRET, p.hostport), "ws://some.example/", status=1, secrets=[SECRET])
    assert (r.details["phase"], r.details["reason"], r.details["status"]) == ("proxy", "proxy", None)
    assert status in r.error and p.hostport in r.error


# what an HTTP proxy answers, and what the error says besides
REFUSALS = [
    ("407 Auth", ["Proxy-Authenticate: NTLM"], "it asks for a login (NTLM); only Basic is supported"),
    ("407 Auth", ['Proxy-Authenticate: Digest realm="x"'], "only Basic is supported"),
    ("407 Auth", ["Proxy-Authenticate: NTLM", "Proxy-Authenticate: Basic"], "(NTLM, Basic); user and password of its URL were sent and not accepted"),
    ("403 Forbidden", [], "perhaps its rules do not allow this host or port"),
    ("405 Not Allowed", [], "it does not support CONNECT"),
    ("400 Bad Request", [], "perhaps it is a web server, not a proxy"),
    ("503 Unavailable", [], "it could not reach the host"),
]


@pytest.mark.parametrize("status, headers, said", REFUSALS)
def test_http_refuses_and_why(status, headers, said):
    with Server(lambda c: c.refuse(status, extra=headers).eof()) as p:
        r = run("-D", "-x", "http://u:%s@%s" % (SECRET, p.hostport), "ws://some.example/", status=1, secrets=[SECRET])
    assert status in r.error and said in r.error


def test_http_asks_for_a_login():
    with Server(lambda c: c.refuse("407 Auth", extra=["Proxy-Authenticate: Basic"]).eof()) as p:
        r = run("-x", "http://" + p.hostport, "ws://some.example/", status=1)
    assert "it asks for a login (Basic); user and password go in its URL" in r.error


# the peer is not a proxy, or a proxy of another kind
OTHERS = [
    ("http", b"SSH-2.0-x\r\n", 'it begins with "SSH-2.0-x"'),
    ("http", b"\x15\x03\x01\0\2\2\x28", "it is TLS, and proxies behind TLS are not supported"),
    ("http", b"HTTP/1.1 2", 'within its response, which begins with "HTTP/1.1 2"'),
    ("socks4a", b"HTTP/1.1 400 Bad\r\n\r\n", 'begins with "HTTP/1.1 400 Bad" (for an HTTP proxy its URL begins with http://)'),
    ("socks5h", b"HTTP/1.1 400 Bad\r\n\r\n", 'begins with "HTTP/1.1 400 Bad" (for an HTTP proxy its URL begins with http://)'),
    ("socks5h", b"\5\xff", "it wants a login; user and password go in its URL"),
]


@pytest.mark.parametrize("scheme, answer, said", OTHERS)
def test_another_kind_of_proxy(scheme, answer, said):
    with Server(lambda c: (c.fill(), c.send(answer))) as p:
        r = run("-D", "-x", "%s://%s" % (scheme, p.hostport), "ws://some.example/", status=1)
    assert said in r.error and r.details["phase"] == "proxy"


@pytest.mark.parametrize("answer", [b"nonsense\r\n\r\n", b"HTTP/1.1 200", b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000])
def test_no_http_proxy(answer):
    with Server(lambda c: c.read_request().send(answer)) as p:
        r = run("-D", "-t", 60, "-x", "http://" + p.hostport, "ws://some.example/", status=1)
    assert r.details["phase"] == "proxy" and r.seconds < 50


def test_no_proxy_there():
    sock, port = unused_port()
    with sock:
        r = run("-D", "-x", "http://127.0.0.1:%d" % port, "ws://some.example/", status=1)
    assert (r.details["phase"], r.details["reason"]) == ("connect", "refused") and "127.0.0.1:%d" % port in r.error


SILENT = [("http", "HTTP without TLS"), ("socks4a", "SOCKS4"), ("socks5h", "SOCKS5")]


@pytest.mark.parametrize("scheme, speaks", SILENT)
def test_a_silent_proxy(scheme, speaks):
    with Server(lambda c: c.eof()) as p:
        r = run("-D", "-t", "0.6", "-x", "%s://%s" % (scheme, p.hostport), "ws://some.example/", status=1, at_least=0.6, within=0.6)
    assert (r.details["phase"], r.details["reason"]) == ("proxy", "timeout")
    assert "no response; does this port speak %s" % speaks in r.error


@pytest.mark.parametrize("scheme", ["http", "socks4a", "socks5h"])
def test_a_dribbling_proxy(scheme):
    answer = {"http": b"HTTP/1.1 200 " + b"x" * 1000, "socks4a": b"\0\x5a\0\0", "socks5h": b"\5\0\5\0"}[scheme]
    with Server(lambda c: (c.fill(), c.dribble(answer, 0.3))) as p:
        run("-t", 1, "-x", "%s://%s" % (scheme, p.hostport), "ws://some.example/", status=1, at_least=1, within=1)


def test_socks4(target):
    with Server(socks4()) as p:
        r = run("-D", "-d", "x", "-x", "socks4://joe@" + p.hostport, target.url, status=0)
        assert p.conn.asked == ("127.0.0.1", target.port) and p.conn.user == b"joe"
    assert r.data == "x"


def test_socks4_looks_up_here(target):
    with Server(socks4()) as p:
        run("-d", "x", "-x", "socks4://" + p.hostport, "--resolve", "some.example:%d:127.0.0.1" % target.port,
            "ws://some.example:%d/" % target.port, status=0)  # fmt: skip
        assert p.conn.asked == ("127.0.0.1", target.port)


def test_socks4a(target):
    with Server(socks4(to=("127.0.0.1", target.port))) as p:
        run("-d", "x", "-x", "socks4a://" + p.hostport, "ws://some.example:%d/" % target.port, status=0)
        assert p.conn.asked == ("some.example", target.port)


def test_socks4_refuses():
    with Server(socks4(91)) as p:
        r = run("-D", "-x", "socks4a://" + p.hostport, "ws://some.example/", status=1)
    assert (r.details["phase"], r.details["reason"], r.details["status"]) == ("proxy", "proxy", None)


def test_socks5(target):
    with Server(socks5()) as p:
        run("-d", "x", "-x", "socks5://" + p.hostport, target.url, status=0)
        assert p.conn.asked == ("127.0.0.1", target.port) and 0 in p.conn.methods


def test_socks5_ipv6():
    with Server(echo, host="::1") as t, Server(socks5()) as p:
        run("-d", "x", "-x", "socks5://" + p.hostport, t.url, status=0)
        assert p.conn.asked == ("::1", t.port)


def test_socks5h(target):
    with Server(socks5(to=("127.0.0.1", target.port))) as p:
        run("-d", "x", "-x", "socks5h://" + p.hostport, "ws://some.example:%d/" % target.port, status=0)
        assert p.conn.asked == ("some.example", target.port)


def test_resolve_is_not_for_names_that_the_proxy_looks_up(target):
    with Server(socks5(to=("127.0.0.1", target.port))) as p:
        run("-d", "x", "-x", "socks5h://" + p.hostport, "--resolve", "some.example:%d:127.0.0.9" % target.port,
            "ws://some.example:%d/" % target.port, status=0)  # fmt: skip
        assert p.conn.asked == ("some.example", target.port)


def test_socks5_password(target):
    with Server(socks5(user=True)) as p:
        run("-d", "x", "-v", "-D", "-x", "socks5://joe:p%%3a%s@%s" % (SECRET, p.hostport), target.url, status=0, secrets=[SECRET])
        assert p.conn.user == b"joe:p:" + SECRET.encode() and 2 in p.conn.methods


@pytest.mark.parametrize("bound", [b"\4" + bytes(16) + b"\0\0", b"\3\5bound\0\0"])
def test_socks5_any_bound_address(target, bound):
    with Server(socks5(bound=bound)) as p:
        run("-d", "x", "-x", "socks5://" + p.hostport, target.url, status=0)


REPLIES = {1: "general", 2: "allowed", 3: "etwork", 4: "ost", 5: "refused", 6: "TTL", 7: "ommand", 8: "ddress"}


@pytest.mark.parametrize("reply", REPLIES)
def test_socks5_refuses_in_words(reply):
    with Server(socks5(reply)) as p:
        r = run("-D", "-x", "socks5h://" + p.hostport, "ws://some.example/", status=1)
    assert (r.details["phase"], r.details["reason"], r.details["status"]) == ("proxy", "proxy", None)
    assert REPLIES[reply] in r.error


@pytest.mark.parametrize("script", [socks5(method=0xFF), socks5(user=True, auth=1), socks5(method=1)])
def test_socks5_refuses_us(script):
    with Server(script) as p:
        r = run("-D", "-x", "socks5h://joe:%s@%s" % (SECRET, p.hostport), "ws://some.example/", status=1, secrets=[SECRET])
    assert (r.details["phase"], r.details["reason"]) == ("proxy", "proxy")


@pytest.mark.parametrize("scheme", ["socks4a", "socks5h"])
def test_no_socks_proxy(scheme):
    with Server(lambda c: (c.fill(), c.send(b"HTTP/1.1 400 Bad Request\r\n\r\n"), c.eof())) as p:
        r = run("-D", "-t", 60, "-x", "%s://%s" % (scheme, p.hostport), "ws://some.example/", status=1)
    assert (r.details["phase"], r.details["reason"]) == ("proxy", "proxy") and r.seconds < 50


def test_a_redirect_goes_through_the_proxy_too():
    def script(c):
        c.read_request()
        c.send(b"HTTP/1.1 200 OK\r\n\r\n")
        c.asked = c.request_line.split(" ")[1]
        c.read_request()
        if c.request_line.startswith("GET /a "):
            c.refuse("302 Found", extra=["Location: ws://other.example:81/b"])
            c.eof()
        else:
            c.upgrade(frame(TEXT, c.request_line))
            c.finish()

    with Server(script) as p:
        assert run("-x", "http://" + p.hostport, "ws://some.example/a", status=0).data == "GET /b HTTP/1.1"
        assert [c.asked for c in p.conns] == ["some.example:80", "other.example:81"]


# the environment; some.example can only be reached through a proxy that accepts it


@pytest.fixture
def proxy():
    """An HTTP proxy that answers for every host itself."""

    def script(c):
        c.read_request()
        c.asked = c.request_line.split(" ")[1]
        c.send(b"HTTP/1.1 200 OK\r\n\r\n")
        c.read_request()
        c.upgrade(frame(TEXT, "by proxy"))
        c.finish()

    with Server(script) as p:
        yield p


def by_proxy(*args, env):
    """Whether a query of some.example went through a proxy (--resolve gives it an address where nobody listens)."""
    sock, port = unused_port()
    with sock:
        url = "ws://some.example:%d/" % port
        r = run("--resolve", "some.example:%d:127.0.0.1" % port, *args, url, env=env)
    return r.data == "by proxy"


@pytest.mark.parametrize("name", ["ws_proxy", "WS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY"])
def test_environment(proxy, name):
    assert by_proxy(env={name: "http://" + proxy.hostport})


@pytest.mark.parametrize("name", ["HTTP_PROXY", "wss_proxy", "https_proxy", "WSS_PROXY", "HTTPS_PROXY"])
def test_environment_not_heeded(proxy, name):
    assert not by_proxy(env={name: "http://" + proxy.hostport})


def test_order_of_the_environment(proxy):
    dead = "http://127.0.0.1:1"
    live = "http://" + proxy.hostport
    assert by_proxy(env={"ws_proxy": live, "http_proxy": dead, "all_proxy": dead})
    assert by_proxy(env={"http_proxy": live, "all_proxy": dead})
    assert not by_proxy(env={"ws_proxy": dead, "http_proxy": live})


def test_option_goes_before_the_environment(proxy):
    assert by_proxy("-x", "http://" + proxy.hostport, env={"ws_proxy": "http://127.0.0.1:1"})
    assert not by_proxy("-x", "", env={"ws_proxy": "http://" + proxy.hostport})


def test_the_environment_is_never_used_for_loopback(proxy, target):
    env = {"all_proxy": "http://" + proxy.hostport}
    assert run("-d", "x", target.url, env=env, status=0).data == "x"
    assert run("-d", "x", "ws://localhost:%d" % target.port, env=env, status=0).data == "x"
    assert not proxy.conns


def test_the_option_is_used_for_loopback(proxy, target):
    assert run("-d", "x", "-x", "http://" + proxy.hostport, target.url, status=0).data == "by proxy"


LISTS = [
    ("some.example", True), ("SOME.example", True), ("example", True), (".example", True), ("ample", False),
    ("e.example", False), ("xsome.example", False), ("a.some.example", False), ("*", True), ("other,some.example", True),
    ("other, some.example ,third", True), ("some.example:PORT", True), ("some.example:1", False), ("10.0.0.0/8", False),
    ("", False),
]  # fmt: skip


@pytest.mark.parametrize("entry, direct", LISTS)
@pytest.mark.parametrize("how", ["--noproxy", "no_proxy", "NO_PROXY"])
def test_no_proxy(proxy, entry, direct, how):
    sock, port = unused_port()
    with sock:
        entry = entry.replace("PORT", str(port))
        args = ["--noproxy", entry] if how == "--noproxy" else []
        env = {} if how == "--noproxy" else {how: entry}
        env["all_proxy"] = "http://" + proxy.hostport
        url = "ws://some.example:%d/" % port
        r = run("--resolve", "some.example:%d:127.0.0.1" % port, *args, url, env=env)
    assert (r.data != "by proxy") == direct


@pytest.mark.parametrize(
    "entry, host, direct",
    [
        ("127.1.2.0/24", "127.1.2.77", True),
        ("127.1.2.0/26", "127.1.2.77", False),
        ("127.1.2.77", "127.1.2.77", True),
        ("127.1.2.7", "127.1.2.77", False),
        ("::/64", "[::1]", True),
        ("::1", "[::1]", True),
        ("[::1]", "[::1]", True),
        ("[::1]:81", "[::1]:81", True),
        ("[::1]:80", "[::1]:81", False),
        ("2001:db8::/32", "[::1]", False),
    ],
)
def test_no_proxy_by_address(proxy, entry, host, direct):
    r = run("-x", "http://" + proxy.hostport, "--noproxy", entry, "ws://%s/" % host)
    assert (r.data != "by proxy") == direct


def test_option_noproxy_replaces_the_environment(proxy):
    env = {"all_proxy": "http://" + proxy.hostport, "no_proxy": "*"}
    assert by_proxy("--noproxy", "other", env=env)


# an invalid proxy URL with a secret in it, with and without an '@'
SECRET_URLS = [
    "nonsense://u:%s@h", "http://u:1/%s@h", "socks5://u?%s@h", "http://u:%s%%40h:80", "u:%s%%40h:80", "socks5://u:%s", "http://u:1%s", "u:%s",
    "http://u:1/%s%%40h:80", "u:/%s%%40h", "http://u:1:%s", "http:u:%s%%40h", "http://u:x/%s", "http://[u:%s%%40h",
]  # fmt: skip


@pytest.mark.parametrize("url", SECRET_URLS)
def test_a_wrong_proxy_shows_no_secret(url):
    assert "-x, --proxy: " in run("-x", url % SECRET, "ws://some.example/", status=64, secrets=[SECRET]).err


@pytest.mark.parametrize("url", SECRET_URLS)
def test_a_wrong_proxy_in_the_environment_names_its_variable(url):
    r = run("-D", "ws://some.example/", env={"ws_proxy": url % SECRET}, status=1, secrets=[SECRET])
    assert "ws_proxy" in r.error


def test_a_wrong_proxy_in_the_environment_that_is_not_used(target):
    assert run("-d", "x", target.url, env={"ws_proxy": "nonsense://h"}, status=0).data == "x"


def test_unix_socket_heeds_no_environment(proxy, tmp_path):
    path = str(tmp_path / "s")
    with Server(says("direct"), unix=path):
        r = run("--unix-socket", path, "ws://some.example/", env={"all_proxy": "http://" + proxy.hostport}, status=0)
    assert r.data == "direct"
