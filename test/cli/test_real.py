# SPDX-License-Identifier: ISC
"""Tests with servers of other projects. Each is skipped, with a reason, if it is not installed."""

import base64
import os
import shutil
import socket
import subprocess
import sys
import time

import pytest
from conftest import ROOT, run
from servers import stopped, unused_port

WEBSOCKETS = """
import asyncio, sys, websockets

async def serve(ws, path=None):
    path = path or getattr(ws, "path", None) or ws.request.path
    if path == "/welcome":
        await ws.send("welcome")
    if path == "/close":
        await ws.close(1008, "not you")
        return
    if path == "/sub":
        await ws.send(ws.subprotocol or "")
    if path == "/fragments":
        await ws.send(["a" * 5000, "b" * 70000, "\\u20ac"])
    async for message in ws:
        await ws.send(message)

def choose(first, second):
    # up to websockets 13: the client's list and ours; from 14 on: the connection and the client's list
    offered = first if isinstance(first, list) else second
    return next((p for p in ("two", "three") if p in offered), None)

async def main():
    server = await websockets.serve(
        serve, "127.0.0.1", 0, subprotocols=["two", "three"], select_subprotocol=choose, max_size=None)
    print(list(server.sockets)[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
"""

NODE = """
const { WebSocketServer } = require(process.argv[1]);
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, maxPayload: 1 << 28,
  perMessageDeflate: true, handleProtocols: (offered) => offered.has('two') ? 'two' : false },
  () => console.log(server.address().port));
server.on('connection', (ws, request) => {
  if (request.url === '/welcome') ws.send('welcome');
  if (request.url === '/close') { ws.close(1008, 'not you'); return; }
  if (request.url === '/sub') ws.send(ws.protocol);
  if (request.url === '/fragments') {
    ws.send('a'.repeat(5000), { fin: false });
    ws.send('b'.repeat(70000), { fin: false });
    ws.send('\\u20ac');
  }
  ws.on('message', (data, binary) => ws.send(data, { binary }));
});
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
"""


class Process:
    """A server in a separate process, which prints its port and ends with its standard input."""

    def __init__(self, args):
        self.p = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.p.stdout.readline()
        assert line.strip().isdigit(), line
        self.port = int(line)
        self.url = "ws://127.0.0.1:%d/" % self.port

    def close(self):
        self.p.stdin.close()
        try:
            self.p.wait(20)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()
        self.p.stdout.close()


def node_ws():
    """The path of the npm package ws, or None."""
    node = shutil.which("node")
    if not node:
        return None
    places = [os.environ.get("NODE_PATH", ""), str(ROOT / "node_modules"), "/usr/lib/node_modules", "/usr/share/nodejs"]
    places.append("/usr/local/lib/node_modules")
    for place in places:
        if place and os.path.exists(os.path.join(place, "ws", "package.json")):
            return os.path.join(place, "ws")
    return None


@pytest.fixture(scope="module", params=["python3-websockets", "node ws"])
def server(request):
    if request.param == "node ws":
        path = node_ws()
        if not path:
            pytest.skip("node or its package ws is not installed")
        p = Process(["node", "-e", NODE, path])
    else:
        pytest.importorskip("websockets")
        p = Process([sys.executable, "-c", WEBSOCKETS])
    yield p
    p.close()


def test_echo(server):
    assert run("-d", "Hello \u20ac", server.url, status=0).data == "Hello \u20ac"


@pytest.mark.parametrize("n", [0, 125, 126, 65535, 65536, 1000000])
def test_lengths(server, n):
    assert run("-d", "@-", server.url, stdin=b"x" * n, status=0).data == "x" * n
    blob = os.urandom(n)
    assert run("-B", "-d", "@-", server.url, stdin=blob, status=0).data == base64.b64encode(blob).decode()


def test_welcome_then_steps(server):
    r = run("-e", "^welcome$", "-d", "a", "-e", "^a$", "-d", "b", "-d", "c", "-n", 2, server.url + "welcome", status=0)
    assert r.data == ["b", "c"]


def test_ping_and_check(server):
    assert run("--ping", server.url, status=0).data is None
    assert run("--check", server.url, status=0).data is None


def test_closed_with_a_reason(server):
    r = run("-D", server.url + "close", status=3)
    assert r.details["close"] == {"code": 1008, "reason": "not you"} and "not you" in r.error


def test_subprotocol(server):
    r = run("-D", "-s", "one", "-s", "two", server.url + "sub", status=0)
    assert r.data == "two" and r.details["subprotocol"] == "two"


def test_fragments(server):
    assert run(server.url + "fragments", status=0).data == "a" * 5000 + "b" * 70000 + "\u20ac"


def test_the_close_is_answered_in_time(server):
    r = run("--close-timeout", 60, "-t", 100, "-d", "x", server.url, status=0)
    assert r.seconds < 30


def wait_for_port(port, process):
    end = time.monotonic() + 30
    while time.monotonic() < end:
        assert process.poll() is None, "the server ended: " + str(process.returncode)
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the server does not listen")


def free_ports(n):
    held = [unused_port() for _ in range(n)]
    for s, _ in held:
        s.close()
    return [p for _, p in held]


def which(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if not path:
        pytest.skip(name + " is not installed")
    return path


def started(args, port):
    p = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port, p)
    except BaseException:
        p.kill()
        p.wait()
        raise
    return p


def test_mosquitto(tmp_path):
    program = which("mosquitto")
    plain, port = free_ports(2)
    conf = tmp_path / "conf"
    conf.write_text(
        "listener %d 127.0.0.1\nlistener %d 127.0.0.1\nprotocol websockets\nallow_anonymous true\n" % (plain, port)
    )
    p = started([program, "-c", str(conf)], port)
    try:
        # MQTT 3.1.1: CONNECT with a clean session, and the CONNACK that accepts it
        hello = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a"
        r = run("-D", "-s", "mqtt", "-B", "-d", "@-", "ws://127.0.0.1:%d/mqtt" % port, stdin=hello, status=0)
        assert r.details["subprotocol"] == "mqtt" and base64.b64decode(r.data) == b"\x20\x02\x00\x00"
    finally:
        stopped(p)


@pytest.fixture(scope="module")
def behind():
    pytest.importorskip("websockets")
    p = Process([sys.executable, "-c", WEBSOCKETS])
    yield p
    p.close()


def test_behind_nginx(tmp_path, behind):
    program = which("nginx")
    (port,) = free_ports(1)
    (tmp_path / "conf").write_text(
        """
        daemon off; pid %(d)s/pid; error_log %(d)s/error; worker_processes 1; %(user)s
        events { worker_connections 64; }
        http {
          access_log off; client_body_temp_path %(d)s/a; proxy_temp_path %(d)s/b; fastcgi_temp_path %(d)s/c;
          uwsgi_temp_path %(d)s/e; scgi_temp_path %(d)s/f;
          server {
            listen 127.0.0.1:%(port)d;
            location / {
              proxy_pass http://127.0.0.1:%(to)d; proxy_http_version 1.1;
              proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";
            }
            location /dropped { proxy_pass http://127.0.0.1:%(to)d; }
            location /none { return 404 "nothing here"; }
            location /there { return 301 /welcome; }
            location /dead { proxy_pass http://127.0.0.1:1; }
          }
        }
        """
        % {"d": tmp_path, "port": port, "to": behind.port, "user": "user root;" if os.getuid() == 0 else ""}
    )
    p = started([program, "-e", str(tmp_path / "error"), "-p", str(tmp_path), "-c", str(tmp_path / "conf")], port)
    url = "ws://127.0.0.1:%d/" % port
    try:
        assert run("-d", "x" * 100000, url, status=0).data == "x" * 100000
        assert run(url + "there", status=0).data == "welcome"
        r = run("-D", url + "none", status=1)
        assert r.details["status"] == 404 and r.details["body"] == "nothing here"
        assert run("-D", url + "dead", status=1).details["status"] == 502
        r = run("-D", url + "dropped", status=1)
        assert r.details["reason"] == "http" and r.details["status"] != 101
        assert "a proxy in between dropped the Upgrade header" in r.error
    finally:
        stopped(p)


def test_behind_haproxy(tmp_path, behind):
    program = which("haproxy")
    (port,) = free_ports(1)
    (tmp_path / "conf").write_text(
        """
        defaults
          mode http
          timeout connect 10s
          timeout client 30s
          timeout server 30s
        frontend f
          bind 127.0.0.1:%d
          use_backend none if { path /dead }
          default_backend b
        backend b
          server s 127.0.0.1:%d
        backend none
          server n 127.0.0.1:1
          retries 0
        """.replace("\n        ", "\n")
        % (port, behind.port)
    )
    p = started([program, "-db", "-f", str(tmp_path / "conf")], port)
    url = "ws://127.0.0.1:%d/" % port
    try:
        assert run("-d", "x" * 100000, url, status=0).data == "x" * 100000
        assert run("-p", url, status=0).data is None
        assert run("-D", url + "close", status=3).details["close"]["code"] == 1008
        assert run("-D", url + "dead", status=1).details["status"] == 503
    finally:
        stopped(p)


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_through_a_real_proxy(tmp_path, behind, scheme):
    if scheme == "http":
        program = which("squid")
        (port,) = free_ports(1)
        (tmp_path / "conf").write_text(
            "http_port 127.0.0.1:%d\nhttp_access allow all\ncache deny all\npid_filename none\naccess_log none\n"
            "cache_log /dev/null\ncoredump_dir %s\nshutdown_lifetime 0 seconds\n"
            % (port, tmp_path)
        )
        # a unique name, so that its shared memory does not collide with another squid's
        args = [program, "-n", "test%d" % os.getpid(), "-N", "-f", str(tmp_path / "conf")]
    else:
        program = which("microsocks")
        (port,) = free_ports(1)
        args = [program, "-i", "127.0.0.1", "-p", str(port)]
    p = started(args, port)
    try:
        r = run("-D", "-x", "%s://127.0.0.1:%d" % (scheme, port), "-d", "x", behind.url, status=0)
        assert r.data == "x" and r.details["address"] == "127.0.0.1:%d" % port
    finally:
        stopped(p)
