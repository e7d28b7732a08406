# SPDX-License-Identifier: ISC
"""Tests that need a network: two hosts in network namespaces, with a link that can drop or reject packets."""

import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

import conftest
from conftest import needs

HERE = pathlib.Path(__file__).absolute().parent
V4, V6 = "10.77.0.2", "fd77::2"  # the server; the client is .1
DEAD4, DEAD6 = "10.77.0.99", "fd77::99"  # routed to the server, which drops their packets


def sh(*args, check=True, **kw):
    return subprocess.run(args, check=check, capture_output=True, text=True, timeout=60, **kw)


class Network:
    def __init__(self):
        self.client = "wsq-c%d" % os.getpid()
        self.server = "wsq-s%d" % os.getpid()
        self.etc = pathlib.Path("/etc/netns") / self.client
        self.running = []

    def up(self):
        for ns in (self.client, self.server):
            sh("ip", "netns", "add", ns)
            self.at(ns, "ip", "link", "set", "lo", "up")
        sh("ip", "link", "add", "wsq0", "netns", self.client, "type", "veth", "peer", "name", "wsq1", "netns", self.server)
        for ns, dev, n in ((self.client, "wsq0", 1), (self.server, "wsq1", 2)):
            self.at(ns, "ip", "addr", "add", "10.77.0.%d/24" % n, "dev", dev)
            self.at(ns, "ip", "addr", "add", "fd77::%d/64" % n, "dev", dev, "nodad")
            self.at(ns, "ip", "link", "set", dev, "up")
        # the dead addresses are routed to the server, which does not have them and does not answer for them
        self.at(self.client, "ip", "route", "add", DEAD4 + "/32", "via", V4)
        self.at(self.client, "ip", "-6", "route", "add", DEAD6 + "/128", "via", V6)
        self.etc.mkdir(parents=True)
        (self.etc / "resolv.conf").write_text("nameserver %s\noptions timeout:30 attempts:5\n" % V4)
        (self.etc / "nsswitch.conf").write_text("hosts: files dns\n")
        (self.etc / "hosts").write_text(
            "127.0.0.1 localhost\n%s both.test v4.test\n%s both.test v6.test\n%s dead6.test\n%s dead6.test\n%s dead4.test\n"
            "%s dead4.test\n%s deadboth.test\n%s deadboth.test\n" % (V4, V6, DEAD6, V4, DEAD4, V6, DEAD4, DEAD6)
        )
        self.rules("")

    def at(self, ns, *args, **kw):
        return sh("ip", "netns", "exec", ns, *args, **kw)

    def rules(self, more):
        """The server's firewall. It always drops name queries, and packets to the dead addresses."""
        script = """
            flush ruleset
            table inet t {
                chain in { type filter hook input priority 0; %s
                    udp dport 53 drop; tcp dport 53 drop; }
                chain on { type filter hook forward priority 0; drop; }
                chain pre { type filter hook prerouting priority -300;
                    ip daddr %s drop; ip6 daddr %s drop; }
            }
        """ % (more, DEAD4, DEAD6)
        self.at(self.server, "nft", "-f", "-", input=script)

    def serve(self, mode, host, port=8080):
        p = subprocess.Popen(
            ["ip", "netns", "exec", self.server, sys.executable, str(HERE / "netns_server.py"), mode, host, str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.running.append(p)
        assert p.stdout.readline() == "ready\n"
        return p

    def run(self, *args, overrun=None, **kw):
        """Runs wsquery on the client. It must end within overrun seconds; a slow machine has SLACK more."""
        begin = time.monotonic()
        p = subprocess.run(
            ["ip", "netns", "exec", self.client, conftest.WSQUERY, "-D", *args],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env=conftest.environment(),
            timeout=120,
        )
        r = conftest.Result(p.returncode, p.stdout, p.stderr, time.monotonic() - begin)
        return conftest.judge(r, args, within=overrun, **kw)

    def quiet(self):
        for p in self.running:
            p.kill()
            p.communicate()
        self.running = []
        self.rules("")

    def down(self):
        for p in self.running:
            p.kill()
            p.communicate()
        for ns in (self.client, self.server):
            sh("ip", "netns", "del", ns, check=False)
        shutil.rmtree(self.etc, ignore_errors=True)


@pytest.fixture(scope="module")
def whole_network():
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    for tool in ("ip", "nft"):
        if not shutil.which(tool):
            pytest.skip(tool + " is not installed")
    n = Network()
    try:
        n.up()
    except subprocess.CalledProcessError as e:
        n.down()
        pytest.skip("cannot create a network namespace: " + (e.stderr or str(e)).strip())
    yield n
    n.down()


@pytest.fixture
def net(whole_network):
    yield whole_network
    whole_network.quiet()


@pytest.mark.parametrize("host,family,address", [
    (V4, "", V4), ("[%s]" % V6, "", "[%s]" % V6), ("v4.test", "", V4), ("v6.test", "", "[%s]" % V6),
    ("both.test", "-4", V4), ("both.test", "-6", "[%s]" % V6)])
def test_connects(net, host, family, address):
    if ".test" in host and "resolver" not in conftest.BUILT_IN:
        pytest.skip("no resolver in this build")
    net.serve("echo", address.strip("[]"))
    args = [family] if family else []
    r = net.run(*args, "-d", "over a link", "ws://%s:8080/" % host, status=0)
    assert r.data == "over a link" and r.details["address"] == address + ":8080"


@needs("resolver")
@needs("threads")
def test_resolver_that_never_answers(net):
    r = net.run("-t", "1.5", "ws://unheard.example/", status=1, at_least=1.5, overrun=1.5)
    assert (r.details["phase"], r.details["reason"]) == ("resolve", "timeout")
    assert "unheard.example" in r.error


@needs("resolver")
@needs("threads")
def test_resolver_that_never_answers_and_wait(net):
    r = net.run("-t", "0.5", "--retry", "100", "--retry-delay", "100ms", "--wait", "1.5", "ws://unheard.example/",
                status=1, at_least=1.5, overrun=1.5)
    assert r.details["attempts"] >= 2


@needs("resolver")
@needs("threads")
def test_resolver_that_never_answers_and_few_descriptors(net):
    """Lost lookups are limited, so even the last attempt reports the lookup that timed out."""
    most = 0
    with Client(net, "-t", "10ms", "--retry-delay", "0", "--wait", "2", "ws://unheard.example/") as c:
        resource.prlimit(c.p.pid, resource.RLIMIT_NOFILE, (64, 64))
        while c.p.poll() is None:
            try:
                status = pathlib.Path("/proc/%d/status" % c.p.pid).read_text()
                most = max([most] + [int(line.split()[1]) for line in status.splitlines() if line.startswith("Threads:")])
            except OSError:
                pass
            time.sleep(0.02)
        r = c.end(status=1)
    assert (r.details["phase"], r.details["reason"]) == ("resolve", "timeout"), r
    assert 0 < most <= 34  # WS_MAX_LOST_LOOKUPS, the one under way, the program


@needs("resolver")
@pytest.mark.parametrize("name,good", [("dead6.test", V4), ("dead4.test", "[%s]" % V6)])
def test_one_family_is_dead(net, name, good):
    """RFC 8305: the other family is tried after 250 ms."""
    net.serve("echo", good.strip("[]"))
    r = net.run("-d", "x", "-t", "20", "ws://%s:8080/" % name, status=0)
    assert r.details["address"] == good + ":8080"
    assert r.details["timings_ms"]["connect"] < 5000  # without the race: minutes, until the system gives up the SYN


@needs("resolver")
def test_both_are_dead(net):
    r = net.run("-t", "1.5", "ws://deadboth.test:8080/", status=1, at_least=1.5, overrun=1.5)
    assert (r.details["phase"], r.details["reason"]) == ("connect", "timeout")
    assert DEAD4 in r.error and DEAD6 in r.error


@needs("resolver")
def test_both_refuse(net):
    r = net.run("ws://both.test:8080/", status=1)
    assert (r.details["phase"], r.details["reason"]) == ("connect", "refused")
    assert V4 + ":8080: Connection refused" in r.error and "[%s]:8080: Connection refused" % V6 in r.error


def test_syn_vanishes(net):
    net.rules("tcp dport 8080 drop;")
    r = net.run("-t", "1.2", "ws://%s:8080/" % V4, status=1, at_least=1.2, overrun=1.2)
    assert (r.details["phase"], r.details["reason"]) == ("connect", "timeout")


def test_connect_timeout(net):
    net.rules("tcp dport 8080 drop;")
    r = net.run("-t", "60", "--connect-timeout", "0.7", "ws://%s:8080/" % V4, status=1, at_least=0.7, overrun=0.7)
    assert (r.details["phase"], r.details["reason"]) == ("connect", "timeout")


@pytest.mark.parametrize("how", ["reject with icmp type host-unreachable", "reject with icmp type net-unreachable",
                                 "reject with icmp type admin-prohibited"])
def test_rejected(net, how):
    net.rules("tcp dport 8080 %s;" % how)
    r = net.run("-t", "20", "ws://%s:8080/" % V4, status=1)
    assert (r.details["phase"], r.details["reason"]) == ("connect", "unreachable"), r


def test_no_route(net):
    r = net.run("-t", "20", "ws://192.0.2.1/", status=1)
    assert (r.details["phase"], r.details["reason"]) == ("connect", "unreachable")
    assert "192.0.2.1:80: Network is unreachable" in r.error


def test_nobody_at_that_address(net):
    r = net.run("-t", "20", "ws://10.77.0.50/", status=1)
    assert (r.details["phase"], r.details["reason"]) == ("connect", "unreachable")


def test_reset_by_the_way(net):
    """A middlebox resets an established connection."""
    server = net.serve("hold", V4)
    with Client(net, "-t", "20", "ws://%s:8080/" % V4) as c:
        assert server.stdout.readline() == "open\n"
        net.rules("tcp dport 8080 reject with tcp reset;")
        server.stdin.write("go\n")  # our reply to its next segment matches the rule
        server.stdin.flush()
        r = c.end(status=3)
    assert r.details["reason"] in ("reset", "timeout")


@pytest.mark.parametrize("mode,phase", [("half", "receive"), ("hold", "receive"), ("nohead", "upgrade"), ("halfhead", "upgrade")])
def test_falls_silent(net, mode, phase):
    """The host disappears in the middle of a message, before a message, or during the upgrade."""
    server = net.serve(mode, V4)
    with Client(net, "-t", "2", "ws://%s:8080/" % V4) as c:
        assert server.stdout.readline() == "open\n"
        net.rules("drop;")
        r = c.end(status=3 if phase == "receive" else 1, at_least=2, within=2)
    assert (r.details["phase"], r.details["reason"]) == (phase, "timeout")


def test_falls_silent_while_we_send(net, tmp_path):
    big = tmp_path / "big"
    big.write_bytes(b"x" * (32 << 20))
    server = net.serve("hold", V4)
    with Client(net, "-t", "3", "-d", "@%s" % big, "ws://%s:8080/" % V4) as c:
        assert server.stdout.readline() == "open\n"
        net.rules("drop;")
        r = c.end(status=3, at_least=3, within=3)
    assert (r.details["phase"], r.details["reason"]) == ("send", "timeout")


def test_proxy_is_gone(net):
    if "prox" not in conftest.BUILT_IN:
        pytest.skip("no proxies in this build")
    net.rules("tcp dport 3128 drop;")
    r = net.run("-t", "1", "-x", "http://%s:3128" % V4, "ws://192.0.2.1/", status=1, at_least=1, overrun=1)
    assert (r.details["phase"], r.details["reason"]) == ("connect", "timeout")


@pytest.mark.parametrize("how", ["wsq0", "10.77.0.1"])
def test_interface(net, how):
    net.serve("echo", V4)
    assert net.run("--interface", how, "-d", "x", "ws://%s:8080/" % V4, status=0).data == "x"


@pytest.mark.parametrize("how", ["lo", "10.77.0.77"])
def test_interface_that_does_not_lead_there(net, how):
    net.serve("echo", V4)
    r = net.run("--interface", how, "-t", "2", "ws://%s:8080/" % V4, status=1)
    assert r.details["phase"] == "connect" and r.details["reason"] in ("unreachable", "timeout", "io")


# Errors of the system: (arguments, reason, words of the sentence). No sentence shows an error number.
WORDS = [
    (["ws://[fe80::1]:9/"], "unreachable", "[fe80::1]:9: a link-local address needs its zone, as in [fe80::1%25eth0]"),
    (["ws://[fe80::1%25nosuch0]:9/"], "resolve", "no such zone: there is no network interface \"nosuch0\""),
    (["--interface", "nosuch0", "ws://127.0.0.1:9/"], "io", "there is no network interface of this name"),
    (["--interface", "192.0.2.77", "ws://127.0.0.1:9/"], "unreachable", "this machine does not have that address"),
    (["--interface", "::1", "ws://127.0.0.1:9/"], "unreachable", "one end is IPv4, the other IPv6"),
    (["--unix-socket", "/dev/null/x", "ws://a/"], "unreachable", "Not a directory"),
]


@pytest.mark.parametrize("args,reason,has", WORDS, ids=[" ".join(a)[:40] for a, _, _ in WORDS])
def test_words(args, reason, has):
    if "fe80" in args[-1] and not have_ipv6():
        pytest.skip("no IPv6")
    r = conftest.run("-D", *args, status=1)
    assert r.details["reason"] == reason and has in r.error
    assert "errno" not in r.error and " error " not in r.error


def have_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
            return True
    except OSError:
        return False


def test_link_local_with_zone(net):
    out = json.loads(net.at(net.server, "ip", "-j", "-6", "addr", "show", "dev", "wsq1").stdout)
    local = [a["local"] for a in out[0]["addr_info"] if a.get("scope") == "link"]
    if not local:
        pytest.skip("the link has no link-local address")
    net.serve("echo", "::")
    r = net.run("-d", "x", "ws://[%s%%25wsq0]:8080/" % local[0], status=0)
    assert r.data == "x"


class Client:
    """A running wsquery on the client."""

    def __init__(self, net, *args):
        self.args = args
        self.begin = time.monotonic()
        self.p = subprocess.Popen(
            ["ip", "netns", "exec", net.client, conftest.WSQUERY, "-D", *args],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=conftest.environment())

    def end(self, **kw):
        out, err = self.p.communicate(timeout=120)
        r = conftest.Result(self.p.returncode, out, err, time.monotonic() - self.begin)
        return conftest.judge(r, self.args, **kw)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        if self.p.poll() is None:
            self.p.send_signal(signal.SIGKILL)
        self.p.communicate()
