# SPDX-License-Identifier: ISC
"""wss:// with servers of other projects, and with servers that stall, break off, lie or do not speak TLS."""

import base64
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time

import pytest
from conftest import Running, needs, run
from pki import fails, heard, needs_tls13, pki, version  # noqa: F401
from servers import LONG, PING, TEXT, Conn, Server, accept_of, close_frame, echo, frame, says, stopped
from test_real import NODE, WEBSOCKETS, Process, free_ports, node_ws, started, which

pytestmark = needs("tls")
VERSIONS = [pytest.param(2, id="TLSv1.2"), pytest.param(3, id="TLSv1.3", marks=needs_tls13)]


# real servers


def python_with_websockets():
    for python in (sys.executable, "python3", "/usr/bin/python3"):
        if shutil.which(python) and subprocess.run([python, "-c", "import websockets"], capture_output=True).returncode == 0:
            return python
    pytest.skip("python3-websockets is not installed")


def python_server(pki, tmp):
    code = WEBSOCKETS.replace("max_size=None", "max_size=None, ssl=context").replace(
        "async def main", "import ssl\ncontext = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\ncontext.load_cert_chain(*sys.argv[1:3])\n\nasync def main"
    )
    p = Process([python_with_websockets(), "-c", code, pki("good.pem"), pki("good.key")])
    return p.port, p.close


def node_server(pki, tmp):
    path = node_ws()
    if not path:
        pytest.skip("node or its package ws is not installed")
    code = NODE.replace("host: '127.0.0.1', port: 0", "server: https").replace(
        "() => console.log(server.address().port));", ");\nhttps.listen(0, '127.0.0.1', () => console.log(https.address().port));"
    )
    code = """
const fs = require('fs');
const https = require('https').createServer({ cert: fs.readFileSync(process.argv[2]), key: fs.readFileSync(process.argv[3]) });
""" + code
    p = Process(["node", "-e", code, path, pki("rsa.pem"), pki("rsa.key")])
    return p.port, p.close


def behind(start):
    """A TLS front of another kind before the plain server of python3-websockets."""

    def server(pki, tmp):
        back = Process([python_with_websockets(), "-c", WEBSOCKETS])
        try:
            (port,) = free_ports(1)
            p = started(start(pki, tmp, port, back.port), port)
        except BaseException:
            back.close()
            raise

        def end():
            stopped(p)
            back.close()

        return port, end

    return server


def nginx(pki, tmp, port, to):
    (tmp / "conf").write_text(
        """
        daemon off; pid %(d)s/pid; error_log %(d)s/error; worker_processes 1; %(user)s
        events { worker_connections 64; }
        http {
          access_log off; client_body_temp_path %(d)s/a; proxy_temp_path %(d)s/b; fastcgi_temp_path %(d)s/c;
          uwsgi_temp_path %(d)s/e; scgi_temp_path %(d)s/f;
          server {
            listen 127.0.0.1:%(port)d ssl;
            ssl_certificate %(cert)s; ssl_certificate_key %(key)s; ssl_protocols TLSv1.2 TLSv1.3;
            location / {
              proxy_pass http://127.0.0.1:%(to)d; proxy_http_version 1.1;
              proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";
            }
          }
        }
        """
        % {"d": tmp, "port": port, "to": to, "cert": pki("good.pem"), "key": pki("good.key"),
           "user": "user root;" if os.getuid() == 0 else ""}  # fmt: skip
    )
    return [which("nginx"), "-e", str(tmp / "error"), "-p", str(tmp), "-c", str(tmp / "conf")]


def haproxy(pki, tmp, port, to):
    with open(tmp / "both.pem", "w") as f:
        f.write(open(pki("p384.pem")).read() + open(pki("p384.key")).read())
    (tmp / "conf").write_text(
        "defaults\n mode http\n timeout connect 10s\n timeout client 60s\n timeout server 60s\n"
        "frontend f\n bind 127.0.0.1:%d ssl crt %s\n default_backend b\nbackend b\n server s 127.0.0.1:%d\n"
        % (port, tmp / "both.pem", to)
    )
    return [which("haproxy"), "-db", "-f", str(tmp / "conf")]


def stunnel(pki, tmp, port, to):
    program = shutil.which("stunnel4") or which("stunnel")
    (tmp / "conf").write_text(
        "foreground = yes\npid =\ndebug = err\n[ws]\naccept = 127.0.0.1:%d\nconnect = 127.0.0.1:%d\ncert = %s\nkey = %s\n"
        % (port, to, pki("good.pem"), pki("good.key"))
    )
    return [program, str(tmp / "conf")]


REAL = {
    "python3-websockets": python_server,
    "node ws": node_server,
    "nginx": behind(nginx),
    "haproxy": behind(haproxy),
    "stunnel": behind(stunnel),
}


@pytest.fixture(scope="module", params=REAL)
def real(request, pki, tmp_path_factory):
    port, end = REAL[request.param](pki, tmp_path_factory.mktemp("real"))
    yield port
    end()


def test_real_echo(pki, real):
    r = pki.query(real, "-d", "Hello \u20ac", status=0)
    assert r.data == "Hello \u20ac" and r.details["tls"]["verified"] is True


@pytest.mark.parametrize("more", [["--tls-max", "1.2"], pytest.param(["--tls-min", "1.3"], marks=needs_tls13)])
def test_real_big_messages(pki, real, more):
    n = 1 << 20
    assert pki.query(real, *more, "-d", "@-", stdin=b"x" * n, status=0).data == "x" * n
    blob = os.urandom(n)
    assert pki.query(real, *more, "-B", "-d", "@-", stdin=blob, status=0).data == base64.b64encode(blob).decode()


def test_real_check_and_ping(pki, real):
    assert pki.query(real, "--check", status=0).data is None
    assert pki.query(real, "--ping", status=0).data is None


def test_real_fragments_and_close(pki, real):
    assert pki.query(real, path="/fragments", status=0).data == "a" * 5000 + "b" * 70000 + "\u20ac"
    assert pki.query(real, path="/welcome", status=0).data == "welcome"
    r = pki.query(real, path="/close", status=3)
    assert r.details["close"] == {"code": 1008, "reason": "not you"}


def test_real_details(pki, real):
    tls = pki.query(real, "--check", status=0).details["tls"]
    assert tls["version"] in ("TLSv1.2", "TLSv1.3") and re.fullmatch("TLS_[A-Z0-9_]+", tls["cipher"])
    assert tls["subject"] in ("CN=good", "CN=rsa", "CN=p384") and tls["days_left"] > 900


def test_real_refused(pki, real):
    fails(pki.query(real, ca="other.pem"), "certificate", "not trusted")
    fails(pki.query(real, "--server-name", "other.example"), "certificate", "other.example")
    assert pki.query(real, "-k", ca="other.pem", status=0, path="/welcome").data == "welcome"


def test_real_http_on_a_tls_port(pki, real):
    # nginx answers in HTTP and says what is wrong; the others hang up
    r = run("-D", "-4", "-t", 60, "ws://localhost:%d/" % real, status=1)
    assert r.details["phase"] == "upgrade"
    assert "wss://" in r.error or "HTTPS" in (r.details["body"] or ""), r.error


# s_server: what only OpenSSL's own commands produce


class SServer:
    """openssl s_server, which sends its standard input, except for lines with a command letter."""

    def __init__(self, pki, *args):
        self.p = subprocess.Popen(
            ["openssl", "s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-cert_chain", pki("good.pem"),
             "-cert", pki("good.pem"), "-key", pki("good.key"), *args],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0,
        )  # fmt: skip
        self.out = b""
        self.more = threading.Condition()
        self.ended = False
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.port = int(self.wait(rb"ACCEPT [^\n]*:(\d+)\n")[1])

    def _read(self):
        while data := self.p.stdout.read(65536):
            with self.more:
                self.out += data
                self.more.notify_all()
        with self.more:
            self.ended = True
            self.more.notify_all()

    def wait(self, pattern, n=1):
        """Waits until it has printed the pattern n times."""
        end = time.monotonic() + LONG
        with self.more:
            while len(found := list(re.finditer(pattern, self.out))) < n:
                assert time.monotonic() < end and not self.ended, self.out
                self.more.wait(1)
        return found[n - 1]

    def send(self, data):
        self.p.stdin.write(data)

    def upgrade(self):
        key = self.wait(rb"Sec-WebSocket-Key: (\S+)\r\n(?:[^\r]+\r\n)*\r\n")[1]
        self.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  b"Sec-WebSocket-Accept: " + accept_of(key) + b"\r\n\r\n")  # fmt: skip

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.p.kill()
        self.p.wait()
        self.reader.join(LONG)
        self.p.stdin.close()
        self.p.stdout.close()


def running(pki, s, *args):
    return Running("-D", "--cacert", pki("ca.pem"), "-t", 60, *args, "wss://127.0.0.1:%d/" % s.port)


def test_renegotiation_is_refused(pki):
    with SServer(pki, "-tls1_2") as s, running(pki, s, "-n", 2, "-t", 20) as r:
        s.upgrade()
        s.send(frame(TEXT, "one"))
        time.sleep(0.3)  # s_server must read a command separately
        s.send(b"R\n")
        s.wait(rb"SSL_do_handshake ->")
        time.sleep(0.3)
        try:
            s.send(frame(TEXT, "two"))
        except OSError:
            pass
        r = r.end()
        # the client answers with no_renegotiation, and the server may hang up; there is no renegotiation
        assert r.seconds < 15
        assert r.status == 0 and r.data == ["one", "two"] or r.status == 3 and r.data == ["one"] and r.details["reason"] in ("closed", "reset", "tls")
        assert s.out.count(b"Client_Hello") == 0 and len(re.findall(rb"CIPHER is ", s.out)) <= 1


@needs_tls13
@pytest.mark.parametrize("tickets", [0, 1, 2, 10])
def test_session_tickets(pki, tickets):
    with pki.server(echo, configure=lambda x: setattr(x, "num_tickets", tickets)) as s:
        r = pki.query(s, "--ping", "-d", "x", status=0)
    assert r.data == "x" and r.details["tls"]["version"] == "TLSv1.3"


@needs_tls13
@pytest.mark.parametrize("command", ["k", "K"])
def test_key_update(pki, command):
    with SServer(pki, "-tls1_3") as s, running(pki, s, "-n", 2, "-t", 20) as r:
        s.upgrade()
        s.send(frame(TEXT, "one"))
        time.sleep(0.3)
        s.send(command.encode() + b"\n")
        s.wait(rb"SSL_do_handshake ->")
        time.sleep(0.3)
        try:
            s.send(frame(TEXT, "two"))
        except OSError:
            pass
        r = r.end(within=10)
    # mbedTLS 3.6 refuses a key update: the error says so, and what arrived before is not lost
    if r.status == 0:
        assert r.data == ["one", "two"]
    else:
        assert r.status == 3 and r.data == ["one"] and r.details["reason"] == "tls"


# servers that stall or break off in the handshake


def shovel(a, b, size=65536):
    """Copies from a to b, size bytes at a time, until a ends."""
    try:
        while data := a.recv(size):
            b.sendall(data)
        b.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class Behind:
    """The connection between c and a real server. The client's bytes are passed on at once, the server's record by record."""

    def __init__(self, c, to):
        self.sock = socket.create_connection(("127.0.0.1", to.port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.down = Conn(self.sock, c.server)
        self.up = threading.Thread(target=shovel, args=(c.sock, self.sock), daemon=True)

    def record(self):
        head = self.down.read(5)
        return head + self.down.read(int.from_bytes(head[3:], "big"))

    def hang_up(self, c):
        """Resets c. No other thread may read from it then."""
        c.sock.shutdown(socket.SHUT_RD)
        self.up.join(LONG)
        c.reset()

    def __enter__(self):
        self.up.start()
        return self

    def __exit__(self, *unused):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()


def relay(to, records, extra, then):
    """Passes on a number of the server's records and extra bytes of the next one. Then it stalls, closes or resets."""

    def script(c):
        with Behind(c, to) as back:
            for _ in range(records):
                c.send(back.record())
            if extra:
                c.send(back.down.read(extra))
            if then == "stall":
                c.hold()
            elif then == "close":
                c.end()
                c.hold()
            else:
                back.hang_up(c)

    return script


# ServerHello, Certificate, ServerKeyExchange, ServerHelloDone; ChangeCipherSpec, Finished. And in TLS 1.3 ServerHello,
# ChangeCipherSpec, EncryptedExtensions, Certificate, CertificateVerify, Finished.
CUTS = [(n, extra) for n in range(6) for extra in (0, 3, 5, 6)]


@pytest.mark.parametrize("n", VERSIONS)
@pytest.mark.parametrize("records, extra", CUTS)
def test_stalls(pki, records, extra, n):
    with pki.server(heard, configure=version(n)) as s, Server(relay(s, records, extra, "stall")) as p:
        r = pki.query(p, "-t", "0.7", at_least=0.7, within=0.7)
        fails(r, "timeout")
        p.stop.set()
        s.hears_nothing()


@pytest.mark.parametrize("n", VERSIONS)
@pytest.mark.parametrize("records, extra", CUTS)
@pytest.mark.parametrize("then, reason, word", [("close", "tls", "closed"), ("reset", "reset", "reset")])
def test_breaks_off(pki, records, extra, n, then, reason, word):
    with pki.server(heard, configure=version(n)) as s, Server(relay(s, records, extra, then)) as p:
        r = pki.query(p, "-t", 60, within=20)
        if (then, records, extra) == ("reset", 0, 0) and r.details["phase"] == "connect":
            assert r.status == 1 and r.details["reason"] == "reset"  # before the connection was known to be established
        else:
            fails(r, reason, word)
        p.stop.set()
        s.hears_nothing()


@pytest.mark.parametrize("n", VERSIONS)
def test_connect_timeout_holds_for_tls(pki, n):
    with pki.server(heard, configure=version(n)) as s, Server(relay(s, 1, 7, "stall")) as p:
        fails(pki.query(p, "-t", 60, "--connect-timeout", "0.7", at_least=0.7, within=0.7), "timeout")


@pytest.mark.parametrize("n", VERSIONS)
def test_a_dribbling_server(pki, n):
    """A single byte now and then does not move the deadline."""

    def dribbles(c):
        with Behind(c, s) as back:
            for _ in range(10000):
                c.send(back.down.read(1))
                if c.server.stop.wait(0.05):
                    break

    with pki.server(heard, configure=version(n)) as s, Server(dribbles) as p:
        fails(pki.query(p, "-t", 1, at_least=1, within=1), "timeout")


@pytest.mark.parametrize("n", VERSIONS)
def test_stalls_after_the_handshake(pki, n):
    with pki.server(lambda c: c.hold(), configure=version(n)) as s:
        r = pki.query(s, "-t", "0.7", at_least=0.7, within=0.7, status=1)
    assert (r.details["phase"], r.details["reason"]) == ("upgrade", "timeout")
    assert r.details["tls"]["verified"] is True


@pytest.mark.parametrize("n", VERSIONS)
def test_a_peer_that_stops_reading(pki, n):
    def script(c):
        c.upgrade()
        c.hold()

    with pki.server(script, configure=version(n)) as s:
        r = pki.query(s, "-t", 4, "--max-message", "64M", "-d", "@-", stdin=b"x" * (16 << 20), at_least=4, within=4, status=3)
    assert (r.details["phase"], r.details["reason"]) == ("send", "timeout")


# servers that do not speak TLS, or break its rules


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 50000,
])  # fmt: skip
def test_http_where_tls_should_be(pki, answer):
    with Server(lambda c: (c.fill(), c.send(answer), c.end(), c.eof())) as s:
        r = pki.query(s)
        s.wait()
        assert b"GET" not in s.conn.buf
    fails(r, "tls", "HTTP", "ws://")


GARBAGE = {
    "text": b"220 mail.example ESMTP ready\r\n",
    "zeros": bytes(64),
    "a record of an unknown type": b"\x63\3\3\0\5hello",
    "a record of another protocol": b"\x16\x7f\x7f\0\5hello",
    "an empty handshake record": b"\x16\3\3\0\0",
    "a record too long": b"\x16\3\3\xff\xff" + b"x" * 65535,
    "a handshake message too long": b"\x16\3\3\0\4\2\xff\xff\xff" + b"\x16\3\3\x40\0" + b"x" * 16384,
    "a Finished first": b"\x16\3\3\0\x10\x14\0\0\x0c" + b"x" * 12,
    "application data first": b"\x17\3\3\0\x05hello",
    "our hello back": None,
    "a hello of SSL 3": b"\x16\3\0\0\x2a\2\0\0\x26\3\0" + b"r" * 32 + b"\0\0\x2f\0",
    "a suite that nobody offered": b"\x16\3\3\0\x2a\2\0\0\x26\3\3" + b"r" * 32 + b"\0\0\1\0",
}


@pytest.mark.parametrize("what", GARBAGE)
def test_garbage_in_the_handshake(pki, what):
    def script(c):
        c.fill()
        c.send(c.buf if GARBAGE[what] is None else GARBAGE[what])
        c.sock.shutdown(socket.SHUT_WR)
        c.eof()

    with Server(script) as s:
        r = pki.query(s, within=20)
    fails(r, "tls")
    assert s.hostport in r.error


def test_endless_empty_records(pki):
    def script(c):
        c.fill()
        while not c.server.stop.is_set():
            c.send(b"\x16\3\3\0\0" * 1000)

    with Server(script) as s:
        r = pki.query(s, "-t", 2, within=2)
    assert r.status == 1 and r.details["phase"] == "tls" and r.details["reason"] in ("tls", "timeout")


ALERTS = {
    10: "unexpected_message(10): our message does not fit",
    40: "handshake_failure(40): no cipher suite",
    48: "unknown_ca(48): it wants a client certificate",
    70: "protocol_version(70): no TLS version in common",
    80: "internal_error(80): something went wrong on the server",
    99: "alert (99): which is not known here",
    112: "unrecognized_name(112): it has no site of this name",
    116: "certificate_required(116): it wants a client certificate",
    120: "no_application_protocol(120): it speaks none of the protocols that we offer in ALPN, which is http/1.1 alone",
}


@pytest.mark.parametrize("alert", ALERTS)
def test_alerts(pki, alert):
    with Server(lambda c: (c.fill(), c.send(b"\x15\3\3\0\2\2" + bytes([alert])), c.eof())) as s:
        fails(pki.query(s, within=20), "tls", "the server sent the alert", ALERTS[alert])


def test_no_dhe(pki):
    # with DHE a server picks the group, of any size, so DHE is not offered
    with SServer(pki, "-tls1_2", "-cipher", "DHE", "-cert", pki("rsa.pem"), "-key", pki("rsa.key")) as s:
        fails(pki.query(s, within=20), "tls", "no cipher suite")


def test_only_curves_of_today(pki):
    with SServer(pki, "-tls1_2", "-groups", "brainpoolP512r1:secp256k1") as s:
        fails(pki.query(s, within=20), "tls", "no cipher suite, curve")


def test_a_warning_before_the_hello_is_no_error(pki):
    def warns(c):
        with Behind(c, s) as back:
            hello = back.record()
            c.send(b"\x15\3\3\0\2\1\x70")  # unrecognized_name, a warning: RFC 6066 3
            c.send(hello + back.down.buf)
            shovel(back.sock, c.sock)

    with pki.server(configure=version(2)) as s, Server(warns) as p:
        pki.query(p, "--tls-max", "1.2", status=0)


@pytest.mark.parametrize("cert", ["good", "expired"])
def test_ws_to_a_tls_server(pki, cert):
    with pki.server(heard, cert=cert) as s:
        r = run("-D", s.url, within=20, status=1)
    assert r.details["phase"] == "upgrade" and "wss://" in r.error


# records of all kinds after the handshake


@pytest.mark.parametrize("n", VERSIONS)
def test_upgrade_and_frames_in_one_record(pki, n):
    frames = frame(TEXT, "a") + frame(PING, "p") + frame(TEXT, "b", fin=False) + frame(0, "c") + close_frame(1000)
    with pki.server(lambda c: (c.upgrade(frames), c.eof()), configure=version(n)) as s:
        assert pki.query(s, "-n", 2, status=0).data == ["a", "bc"]


@pytest.mark.parametrize("n", VERSIONS)
def test_one_byte_in_each_record(pki, n):
    def script(c):
        c.dribble(c.response() + frame(TEXT, "a" * 200), 0)
        c.finish()

    with pki.server(script, configure=version(n)) as s:
        assert pki.query(s, status=0).data == "a" * 200


@pytest.mark.parametrize("n", VERSIONS)
def test_one_byte_in_each_segment(pki, n):
    def dribbles(c):
        with Behind(c, s) as back:
            shovel(back.sock, c.sock, 1)

    with pki.server(says("a" * 300), configure=version(n)) as s, Server(dribbles) as p:
        assert pki.query(p, status=0).data == "a" * 300


@pytest.mark.parametrize("n", VERSIONS)
def test_records_that_the_library_holds_already(pki, n):
    """Ten messages in one segment, each in its own record: all arrive at once, and nothing ever follows."""

    def script(c):
        c.upgrade()
        c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        for i in range(10):
            c.text(str(i))
        c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
        c.recv_close()
        c.hold()

    if not hasattr(socket, "TCP_CORK"):
        pytest.skip("no TCP_CORK here")
    with pki.server(script, configure=version(n)) as s:
        r = pki.query(s, "-n", 10, "--close-timeout", "0.1", within=20, status=0)
    assert r.data == [str(i) for i in range(10)]


def ragged(c):
    """FIN without close_notify."""
    socket.socket.shutdown(c.sock, socket.SHUT_WR)


def polite(c):
    c.end()


@pytest.mark.parametrize("n", VERSIONS)
@pytest.mark.parametrize("how", [ragged, polite])
@pytest.mark.parametrize("part", [b"", frame(TEXT, "half", length=100), b"\x81", frame(TEXT, "begun", fin=False)])
def test_ends_before_the_message(pki, n, how, part):
    with pki.server(lambda c: (c.upgrade(part), how(c)), configure=version(n)) as s:
        r = pki.query(s, within=20, status=3)
    assert r.data is None and r.details["close"] == {"code": 1006, "reason": ""}
    assert r.details["reason"] in ("closed", "reset", "tls")


@pytest.mark.parametrize("n", VERSIONS)
@pytest.mark.parametrize("how", [ragged, polite])
def test_ends_before_the_answer(pki, n, how):
    with pki.server(lambda c: (c.read_request(), how(c)), configure=version(n)) as s:
        r = pki.query(s, within=20, status=1)
    assert r.details["phase"] == "upgrade"


@pytest.mark.parametrize("n", VERSIONS)
@pytest.mark.parametrize("how", [ragged, polite])
def test_ends_after_the_close_frame(pki, n, how):
    with pki.server(lambda c: (c.upgrade(frame(TEXT, "a")), c.recv_close(), c.send(close_frame(1000)), how(c)), configure=version(n)) as s:
        r = pki.query(s, "--close-timeout", 60, within=20, status=0)
    assert r.data == "a"


@pytest.mark.parametrize("n", VERSIONS)
@pytest.mark.parametrize("how", [ragged, polite])
def test_closed_by_the_server(pki, n, how):
    with pki.server(lambda c: (c.upgrade(close_frame(1008, "no")), how(c)), configure=version(n)) as s:
        r = pki.query(s, within=20, status=3)
    assert r.details["close"] == {"code": 1008, "reason": "no"}


@pytest.mark.parametrize("n", VERSIONS)
def test_a_body_that_ends_with_the_stream(pki, n):
    """A refused upgrade whose body has no length: what arrived is shown, whether it was cut off or not."""
    for how in (ragged, polite):
        with pki.server(lambda c: (c.refuse("503 Busy", b"busy", length=False), how(c)), configure=version(n)) as s:
            r = pki.query(s, within=20, status=1)
        assert r.details["status"] == 503 and r.details["body"] == "busy"


@pytest.mark.parametrize("n", VERSIONS)
def test_the_client_says_goodbye(pki, n):
    """The server sends close_notify, and does not wait for ours."""

    def script(c):
        c.upgrade(frame(TEXT, "a"))
        c.recv_close()
        c.send(close_frame(1000))
        c.sock.suppress_ragged_eofs = False  # an end without close_notify raises
        c.last = c.sock.recv(1)

    with pki.server(script, configure=version(n)) as s:
        pki.query(s, "--close-timeout", 60, within=20, status=0)
        s.wait()
        assert s.conn.last == b""


AFTER = {
    "text": b"hello world",
    "an alert in the clear": b"\x15\3\3\0\2\2\x28",
    "a damaged record": b"\x17\3\3\0\x40" + bytes(64),
    "a record too long": b"\x17\3\3\xff\xff" + bytes(65535),
    "a record of an unknown type": b"\x63\3\3\0\x40" + bytes(64),
}


@pytest.mark.parametrize("n", VERSIONS)
@pytest.mark.parametrize("what", AFTER)
@pytest.mark.parametrize("upgraded", [True, False])
def test_garbage_after_the_handshake(pki, n, what, upgraded):
    def script(c):
        if upgraded:
            c.upgrade(frame(TEXT, "a"))
        else:
            c.read_request()
        socket.socket.sendall(c.sock, AFTER[what])  # bypasses TLS
        c.eof()

    with pki.server(script, configure=version(n)) as s:
        r = pki.query(s, "-n", 2, within=20)
    assert r.status == (3 if upgraded else 1) and r.data == (["a"] if upgraded else [])
    assert (r.details["phase"], r.details["reason"]) == ("receive" if upgraded else "upgrade", "tls")
    assert s.hostport in r.error or "localhost:%d" % s.port in r.error


@pytest.mark.parametrize("n", VERSIONS)
def test_a_replayed_record(pki, n):
    """The same record is sent twice. It is rejected, because a record's number is authenticated."""

    def twice(c):
        with Behind(c, s) as back:
            while True:
                record = back.record()
                c.send(record * (1 + (len(record) > 8000 and record[0] == 0x17)))

    def script(c):
        c.upgrade()
        c.text("x" * 9000)
        c.finish()

    with pki.server(script, configure=version(n)) as s, Server(twice) as p:
        r = pki.query(p, "-n", 2, within=20, status=3)
        p.stop.set()
    assert r.data == ["x" * 9000] and r.details["reason"] == "tls"


@pytest.mark.parametrize("n", VERSIONS)
def test_a_flipped_bit(pki, n):
    def flips(c):
        with Behind(c, s) as back:
            while True:
                record = bytearray(back.record())
                if len(record) > 8000 and record[0] == 0x17:
                    record[len(record) // 2] ^= 1
                c.send(record)

    with pki.server(says("x" * 9000), configure=version(n)) as s, Server(flips) as p:
        r = pki.query(p, within=20, status=3)
        p.stop.set()
    assert r.data is None and r.details["reason"] == "tls"


@pytest.mark.parametrize("n", VERSIONS)
def test_a_reset_in_mid_message(pki, n):
    with pki.server(lambda c: (c.upgrade(frame(TEXT, "half", length=100)), c.server.stop.wait(0.2), c.reset()), configure=version(n)) as s:
        r = pki.query(s, within=20, status=3)
    assert r.details["close"] == {"code": 1006, "reason": ""} and r.details["reason"] in ("reset", "closed")


@pytest.mark.parametrize("n", VERSIONS)
def test_both_send_a_lot(pki, n):
    """A server that reads nothing before it has got rid of a lot: the client must read while it sends."""

    def script(c):
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        c.upgrade()
        for _ in range(70):
            c.text("y" * 60000)
        c.size = len(c.recv_message()[1])
        c.finish()

    with pki.server(script, configure=version(n)) as s:
        r = pki.query(s, "-n", 70, "--max-message", "32M", "--close-timeout", 60, "-d", "@-", stdin=b"x" * (4 << 20), status=0)
        s.wait()
        assert s.conn.size == 4 << 20
    assert r.data == ["y" * 60000] * 70


@pytest.mark.parametrize("record", [bytes.fromhex("15030300020 15a".replace(" ", "")), bytes.fromhex("140303000101")],
                         ids=["warnings", "ChangeCipherSpec"])
def test_records_that_bring_nothing_without_end(record):
    """The TLS library reads on and on inside one call: the deadline must hold all the same."""

    def script(c):
        c.sock.recv(65536)
        with pytest.raises(OSError):
            while True:
                c.sock.sendall(record * 3000)

    with Server(script) as s:
        r = run("-D", "-t", "1", "wss://" + s.hostport, status=1, within=1)
    assert r.details["phase"] == "tls" and r.details["reason"] in ("timeout", "tls")


def test_trust_that_never_ends():
    run("-t", "5", "--cacert", "/dev/zero", "wss://127.0.0.1:1/", status=64, within=5)
    r = run("-D", "-t", "5", "wss://127.0.0.1:1/", env={"SSL_CERT_FILE": "/dev/zero"}, status=1, within=5)
    assert r.details["reason"] == "tls"
