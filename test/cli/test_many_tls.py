# SPDX-License-Identifier: ISC
"""Several wss:// URLs in one run: they share the trusted certificates, and each ends as if it ran alone."""

import contextlib
import os
import re
import signal
import subprocess
import threading
import time

import pytest
from conftest import SANITIZED, SLACK, WSQUERY, Running, environment, needs, run
from pki import pki  # noqa: F401
from servers import Server, echo
from test_many import Short, lines, many, needs_prlimit, objects, without_times
from test_tls import fifo  # noqa: F401

pytestmark = needs("tls")


def url(server, path="/"):
    return "wss://127.0.0.1:%d%s" % (server.port, path)


def peak(pki, jobs, *args):
    """Peak resident memory, in KiB, of this many queries that are all open at the same time."""
    everybody, measured = threading.Barrier(jobs), threading.Event()

    def script(c):
        c.read_request()
        everybody.wait(SLACK + 60)
        c.upgrade().text("welcome")
        measured.wait(SLACK + 60)
        c.finish()

    command = [WSQUERY, "-t", "120", "--close-timeout", "60", "--jobs", str(jobs), "--from", "-", *args]
    with pki.server(script, cert="ip") as s:
        p = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment())
        p.stdin.write(lines(url(s, "/%d" % i) for i in range(jobs)))
        p.stdin.close()
        out = b"".join(p.stdout.readline() for _ in range(jobs))
        with open("/proc/%d/status" % p.pid) as f:
            most = int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1))
        measured.set()
        out += p.stdout.read()
        p.stdout.close()
        assert p.wait(SLACK + 60) == 0 and len(objects(out)) == jobs
    return most


@pytest.mark.skipif(SANITIZED, reason="a sanitizer keeps what is freed")
def test_trust_takes_no_memory_of_each(pki):
    """A bundle of about a hundred certificates costs a query hardly more than no verification."""
    trust = (peak(pki, 64, "--cacert", pki("bundle.pem")) - peak(pki, 1, "--cacert", pki("bundle.pem"))) / 63
    nothing = (peak(pki, 64, "-k") - peak(pki, 1, "-k")) / 63
    assert trust < nothing + 6, (trust, nothing)


def test_trust_is_read_once(pki, fifo):
    """A pipe can be read only once."""
    with open(pki("bundle.pem"), "rb") as f:
        ca = fifo("ca", f.read())
    with pki.server(cert="ip") as s:
        urls = [url(s, "/%d" % i) for i in range(10)]
        r = many("-t", 30, "--jobs", 3, "--cacert", ca, *urls, status=0)
        assert [r.objects[u][0]["data"] for u in urls] == ["welcome"] * 10


CERTS = ["ip", "good", "self", "expired", "nochain", "other", "strange"]


@pytest.mark.parametrize(
    "trust", [("--cacert", "ca.pem"), ("--cacert", "bundle.pem"), ("--capath", "capath"), ("--cacert", "other.pem"), ("-k",), ()], ids=" ".join
)
def test_verdicts_are_those_of_a_single_query(pki, trust):
    args = ("-D", "-t", 60, *trust[:1], *[pki(name) for name in trust[1:]])
    with contextlib.ExitStack() as stack:
        urls = [url(stack.enter_context(pki.server(cert=cert))) for cert in CERTS]
        found = many(*args, *urls).objects
        for u in urls:
            assert without_times(found[u][0]) == without_times(run(*args, u).json), u


@pytest.mark.parametrize("scheme", ["ws", "wss"])
@pytest.mark.parametrize("option", ["--cacert", "--capath"])
@pytest.mark.parametrize("path", ["none.pem", "", "empty.pem", "garbage.pem", "broken.pem", "emptydir"])
def test_a_trust_that_cannot_be_read(pki, option, path, scheme):
    args = (option, pki(path), scheme + "://127.0.0.1:9/")
    alone, together = run(*args), run(*args, scheme + "://127.0.0.1:9/2", json=False)
    assert together.status == alone.status
    if alone.status == 64:
        assert together.err == alone.err and together.out == b""


@pytest.mark.parametrize("path", ["none.pem", "empty.pem", "garbage.pem", "broken.pem"])
def test_a_trust_of_the_environment_that_cannot_be_read(pki, path):
    """A bad file fails the queries that need it, with the error that each would have alone."""
    env = {"SSL_CERT_FILE": pki(path)}
    with Server(echo) as plain, pki.server(cert="ip") as s:
        urls = [url(s, "/1"), plain.url, url(s, "/2")]
        r = many("-D", "-d", "x", *urls, env=env, status=1)
        for u in urls:
            assert without_times(r.objects[u][0]) == without_times(run("-D", "-d", "x", u, env=env).json), u
        assert r.objects[plain.url][0]["data"] == "x"
        assert r.objects[urls[0]][0]["details"]["phase"] == "tls"


def test_a_trust_of_the_environment(pki):
    with Server(echo) as plain, pki.server(cert="ip") as s:
        urls = [plain.url, url(s, "/1"), plain.url + "?2", url(s, "/2")]
        r = many("-d", "x", *urls, env={"SSL_CERT_FILE": pki("bundle.pem")}, status=0)
        assert [r.objects[u][0]["data"] for u in urls] == ["x", "welcome", "x", "welcome"]


def test_each_has_its_time_for_a_pipe(fifo):
    """Each query ends at its deadline while all of them wait for a pipe that is empty."""
    urls = ["wss://127.0.0.1:9/%d" % i for i in range(3)]
    r = many("-D", "-t", "0.3", "--jobs", 1, "--cacert", fifo("held", 3600), *urls, status=1, at_least=0.9, within=0.9)
    for u in urls:
        details = r.objects[u][0]["details"]
        assert (details["reason"], details["phase"]) == ("timeout", "input")
        assert "--cacert" in r.objects[u][0]["error"] and "timed out" in r.objects[u][0]["error"]


@pytest.mark.parametrize("came", [b"", b"-----BEGIN CERT"], ids=["nothing", "half"])
@pytest.mark.parametrize("option", ["--cacert", "--cert"])
def test_a_signal_ends_the_waiting_for_a_pipe(tmp_path, option, came):
    pipe, urls = tmp_path / "pipe", ["wss://127.0.0.1:9/1", "ws://127.0.0.1:9/2"]
    os.mkfifo(pipe)
    with Running("-D", "-t", 0, "--jobs", 3, option, pipe, "--from", "-", stdin=subprocess.PIPE) as p:
        p.p.stdin.write(lines(urls))
        p.p.stdin.flush()
        while True:
            try:
                writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
                break
            except OSError:  # the program has not opened it yet
                assert p.p.poll() is None, "the program has ended"
                time.sleep(0.01)
        os.write(writer, came)
        p.signal(signal.SIGTERM)
        found = objects(p.end(status=143, json=False, within=3).out)
        os.close(writer)
    assert sorted(found) == sorted(urls)
    assert {(o[0]["details"]["reason"], o[0]["details"]["phase"]) for o in found.values()} == {("interrupted", "input")}


@needs_prlimit
def test_descriptors_are_taken_away(pki):
    """A lack of descriptors for a TLS file does not count as a wrong option: the query waits."""
    args = ("--cacert", pki("bundle.pem"), "--cert", pki("client.pem"), "--key", pki("client.key"))
    with Server(echo) as plain, pki.server(cert="ip") as s, Short(2, plain.url, "-d", "x", "-t", 60, *args) as p:
        urls = [url(s, "/%d" % i) for i in range(30)]
        p.feed(urls)
        found = p.rest(status=0)
        assert sorted(found) == sorted(urls) and all(o["data"] == "welcome" for (o,) in found.values())
