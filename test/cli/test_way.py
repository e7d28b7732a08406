# SPDX-License-Identifier: ISC
"""The URL from a file, and what -v shows of the way to the server."""

import re

import pytest
from conftest import needs, run
from pki import pki  # noqa: F401
from servers import Server, echo

SECRET = "?token=s3cret"


def test_url_from_a_file(tmp_path):
    path = tmp_path / "url"
    with Server(echo, echo) as s:
        path.write_text(s.url + SECRET + "\r\n")
        r = run("-v", "-D", "-d", "x", "@%s" % path, status=0, secrets=["s3cret"])
        assert r.data == "x" and r.details["url"] == s.url + "?token=***"
        assert s.conns[0].request_line == "GET /?token=s3cret HTTP/1.1"
        assert run("-d", "x", "@-", stdin=s.url.encode(), status=0).data == "x"


def test_url_from_a_file_is_tried_again(tmp_path):
    (tmp_path / "url").write_text("ws://127.0.0.1:1/" + SECRET)
    r = run("-D", "--retry", 1, "--retry-delay", 0, "@url", cwd=tmp_path, status=1, secrets=["s3cret"])
    assert r.details["attempts"] == 2 and r.details["url"] == "ws://127.0.0.1:1/?token=***"


@needs("prometheus")
def test_url_from_a_file_as_a_label(tmp_path):
    (tmp_path / "url").write_text("ws://127.0.0.1:1/" + SECRET)
    r = run("-f", "prometheus", "@url", cwd=tmp_path, status=1, json=False, secrets=["s3cret"])
    assert b'probe_success{target="ws://127.0.0.1:1/?token=***"} 0\n' in r.out


def test_a_wrong_url_in_a_file(tmp_path):
    (tmp_path / "url").write_text("nonsense")
    r = run("-D", "@url", cwd=tmp_path, status=1)
    assert r.details["reason"] == "url" and "ws://nonsense?" in r.error


@pytest.mark.parametrize("args, needle", [(["@missing"], "URL: \"missing\": No such file"), (["@url", "@url"], "--from"), (["@-", "-d", "@-"], "second use"), (["@nul"], "NUL")])
def test_wrong(tmp_path, args, needle):
    (tmp_path / "url").write_text("ws://127.0.0.1:1/")
    (tmp_path / "nul").write_bytes(b"ws://127.0.0.1:1/\0")
    assert needle in run(*args, cwd=tmp_path, status=64).err


def way(r):
    return [line[2:] for line in r.err.split("\n") if line.startswith("* ")]


def test_the_way_is_shown():
    with Server(echo, echo) as s:
        r = run("-v", "-d", "x", s.url, status=0)
        assert way(r) == ["connected to " + s.hostport] and r.err.index("* ") < r.err.index("> GET")
        port = s.hostport.split(":")[1]
        addresses = ["--resolve", "h:%s:127.0.0.2" % port, "--resolve", "h:%s:127.0.0.1" % port]
        r = run("-v", "-d", "x", *addresses, "ws://h:%s/" % port, status=0)
        assert way(r) == ["connect to h: 127.0.0.2:%s: Connection refused; %s" % (port, s.hostport), "connected to " + s.hostport]


@needs("proxies")
def test_the_proxy_is_shown():
    def proxy(c):
        head = c.read_until(b"\r\n\r\n")
        assert head.startswith(b"CONNECT h:80 ")
        c.send(b"HTTP/1.1 200 OK\r\n\r\n")
        echo(c)

    with Server(proxy) as s:
        r = run("-v", "-d", "x", "-x", "http://u:s3cret@" + s.hostport, "ws://h/", status=0, secrets=["s3cret"])
    assert way(r) == ["connected to the proxy " + s.hostport]


@needs("tls")
def test_tls_is_shown(pki):  # noqa: F811
    with pki.server() as s:
        shown = way(pki.query(s, "-v", status=0))
        assert shown[0] == "connected to 127.0.0.1:%d" % s.port, shown
        assert re.fullmatch(r"TLSv1\.[23] with TLS_\w+", shown[1])
        assert re.fullmatch(r"certificate: subject .*, issuer .*, ends 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ, verified", shown[2])
        assert way(pki.query(s, "-v", "-k", ca=None, status=0))[2].endswith("NOT verified")
