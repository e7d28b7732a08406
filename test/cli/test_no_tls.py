# SPDX-License-Identifier: ISC
"""A build without TLS does everything except wss://, and says so."""

import pytest
from conftest import BUILT_IN, run
from servers import Server, says

pytestmark = pytest.mark.skipif("tls" in BUILT_IN, reason="TLS is in this build")


@pytest.mark.parametrize("url", ["wss://127.0.0.1:%d/", "https://127.0.0.1:%d/", "WSS://127.0.0.1:%d/"])
def test_wss(url):
    with Server(lambda c: c.eof()) as s:
        r = run("-D", url % s.port, status=1)
        assert not s.conns
    assert r.details["reason"] == "unsupported" and "TLS" in r.error and "mbedTLS" in r.error
    assert r.details["tls"] is None


def test_wss_is_not_tried_again():
    r = run("-D", "--retry", 5, "--wait", 100, "wss://127.0.0.1:1/", status=1, within=5)
    assert r.details["reason"] == "unsupported" and r.details["attempts"] == 1


def test_a_redirect_to_wss():
    with Server(lambda c: c.refuse("302 Found", extra=["Location: wss://127.0.0.1:1/"]).eof()) as s:
        r = run("-D", s.url, status=1)
    assert r.details["reason"] in ("unsupported", "redirect") and "TLS" in r.error


OPTIONS = [
    "-k", "--insecure", "--cacert=x", "--capath=x", "--cert=x", "--key=x", "--pass=x", "--server-name=x", "--no-check-hostname",
    "--tls-min=1.2", "--tls-max=1.3", "--ciphers=x", "--pinnedpubkey=x", "--cert-expiry=1",
]  # fmt: skip


@pytest.mark.parametrize("option", OPTIONS)
def test_options(option):
    r = run(option, "ws://127.0.0.1:1/", status=64)
    assert "not built in" in r.err and option.split("=")[0].lstrip("-") in r.err


@pytest.mark.parametrize("name", ["WEBSOCKET_CLIENT_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"])
def test_the_environment_is_not_looked_at(name, tmp_path):
    with Server(says("a")) as s:
        assert run(s.url, env={name: str(tmp_path / "none")}, status=0).data == "a"
    assert not (tmp_path / "none").exists()


def test_nagios_unknown():
    r = run("-f", "nagios", "wss://127.0.0.1:1/", status=3, json=False)
    assert r.out.startswith(b"WEBSOCKET UNKNOWN")
