# SPDX-License-Identifier: ISC
"""Scripted servers on plain sockets: a test says which bytes go out, and sees which came in.

A script is a function of one Conn; it runs in a separate thread for each connection, the n-th script for the n-th
connection and the last for all that follow. Its exceptions are kept and fail the test, except those that say that the peer
has gone. Everything listens on the loopback at a port that the system picks.
"""

import base64
import errno
import hashlib
import os
import socket
import struct
import subprocess
import threading
from collections import namedtuple

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
LONG = 120  # seconds after which a script stops waiting for a peer; only a broken program takes that long

Frame = namedtuple("Frame", "fin rsv opcode payload key")


class Gone(Exception):
    """The client has ended the connection."""


def frame(opcode, payload=b"", fin=True, rsv=0, key=None, length=None, wide=None):
    """A frame's bytes. length: a false length for the header; wide: bytes of the extended length (0, 2, 8)."""
    if isinstance(payload, str):
        payload = payload.encode()
    n = len(payload) if length is None else length
    if wide is None:
        wide = 0 if n < 126 else 2 if n < 65536 else 8
    mask = 0x80 if key is not None else 0
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    if wide == 0:
        head += bytes([mask | n])
    elif wide == 2:
        head += bytes([mask | 126]) + struct.pack(">H", n)
    else:
        head += bytes([mask | 127]) + struct.pack(">Q", n)
    if key is not None:
        head += key
        payload = bytes(b ^ key[i % 4] for i, b in enumerate(payload))
    return head + payload


def close_frame(code=None, reason=b""):
    if isinstance(reason, str):
        reason = reason.encode()
    return frame(CLOSE, b"" if code is None else struct.pack(">H", code) + reason)


def accept_of(key):
    return base64.b64encode(hashlib.sha1(key + GUID).digest())


class Conn:
    def __init__(self, sock, server):
        self.sock = sock
        self.server = server
        self.buf = b""
        self.request = None  # the request's head
        self.headers = []  # (name in lower case, value) in their order
        self.frames = []  # all frames received
        self.keys = set()
        self.peer = sock.getpeername()
        self.done = threading.Event()  # the script has ended
        sock.settimeout(LONG)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    # bytes
    def send(self, *parts):
        for p in parts:
            self.sock.sendall(p)
        return self

    def dribble(self, data, pause, n=1):
        """Sends n bytes at a time."""
        for i in range(0, len(data), n):
            self.sock.sendall(data[i : i + n])
            if self.server.stop.wait(pause):
                raise Gone
        return self

    def fill(self):
        got = self.sock.recv(65536)
        if not got:
            raise Gone
        self.buf += got

    def read(self, n):
        while len(self.buf) < n:
            self.fill()
        out, self.buf = self.buf[:n], self.buf[n:]
        return out

    def read_until(self, end):
        while end not in self.buf:
            self.fill()
        at = self.buf.index(end) + len(end)
        out, self.buf = self.buf[:at], self.buf[at:]
        return out

    def eof(self):
        """Reads to the end of the stream, and keeps the bytes in .rest."""
        self.rest = self.buf
        try:
            while True:
                got = self.sock.recv(65536)
                if not got:
                    break
                self.rest += got
        except OSError:
            pass
        return self

    def hold(self):
        """Sends and reads nothing until the test ends."""
        self.server.stop.wait(LONG)
        return self

    def end(self):
        """Ends our stream. The peer may have gone already."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            raise Gone from None

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    # HTTP
    def read_request(self):
        self.request = self.read_until(b"\r\n\r\n")
        lines = self.request[:-4].split(b"\r\n")
        self.request_line = lines[0].decode("latin-1")
        self.headers = []
        for line in lines[1:]:
            name, value = line.split(b":", 1)
            self.headers.append((name.decode("latin-1").lower(), value.decode("latin-1").strip()))
        return self

    def header(self, name):
        """The value of a request's header, or None. A header that occurs twice is an error of the client."""
        values = [v for n, v in self.headers if n == name.lower()]
        assert len(values) <= 1, (name, values)
        return values[0] if values else None

    def response(self, extra=(), drop=(), status=b"HTTP/1.1 101 Switching Protocols", **replace):
        """The bytes of a valid response, except for what the arguments change."""
        if self.request is None:
            self.read_request()
        head = {
            "Upgrade": b"websocket",
            "Connection": b"Upgrade",
            "Sec-WebSocket-Accept": accept_of((self.header("sec-websocket-key") or "").encode()),
        }
        for name, value in replace.items():
            head[name.replace("_", "-")] = value
        lines = [status] + [k.encode() + b": " + v for k, v in head.items() if k not in drop]
        for line in extra:
            lines.append(line if isinstance(line, bytes) else line.encode())
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def upgrade(self, *after, **kw):
        """Answers the upgrade; after: bytes to go in the same segment."""
        return self.send(self.response(**kw) + b"".join(after))

    def refuse(self, status="404 Not Found", body=b"", extra=(), length=True):
        if self.request is None:
            self.read_request()
        lines = ["HTTP/1.1 " + status] + list(extra)
        if length:
            lines.append("Content-Length: %d" % len(body))
        return self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)

    # frames
    def recv(self):
        """The next frame, checked against the rules for a client (RFC 6455 5.1 to 5.5)."""
        b0, b1 = self.read(2)
        assert b1 & 0x80, "client's frame is not masked"
        n = b1 & 0x7F
        if n == 126:
            n = struct.unpack(">H", self.read(2))[0]
            assert n >= 126, "length is not minimal"
        elif n == 127:
            n = struct.unpack(">Q", self.read(8))[0]
            assert n >= 65536, "length is not minimal"
        key = self.read(4)
        data = self.read(n)
        if n:
            k = (key * (n // 4 + 1))[:n]
            data = (int.from_bytes(data, "big") ^ int.from_bytes(k, "big")).to_bytes(n, "big")
        f = Frame(bool(b0 & 0x80), b0 >> 4 & 7, b0 & 15, data, key)
        assert f.rsv == 0
        assert f.opcode in (CONT, TEXT, BINARY, CLOSE, PING, PONG)
        if f.opcode >= 8:
            assert f.fin and n <= 125
        self.keys.add(key)
        self.frames.append(f)
        # by chance this happens for one in 2**32 pairs of frames; 5000 frames make 12 million pairs
        assert len(self.frames) - len(self.keys) <= len(self.frames) // 1000, "a mask was used twice"
        return f

    def recv_message(self):
        """The next whole message as (opcode, bytes). Control frames in between are only kept in .frames."""
        opcode, data = None, b""
        while True:
            f = self.recv()
            if f.opcode == CLOSE:
                raise Gone
            if f.opcode >= 8:
                continue
            assert (f.opcode == CONT) == (opcode is not None)
            opcode = f.opcode if opcode is None else opcode
            data += f.payload
            if f.fin:
                return opcode, data

    def recv_close(self):
        """Reads until the client's close frame. Returns its code, or None, and its reason."""
        while True:
            f = self.recv()
            if f.opcode == CLOSE:
                if not f.payload:
                    return None, ""
                return struct.unpack(">H", f.payload[:2])[0], f.payload[2:].decode()

    def text(self, s):
        return self.send(frame(TEXT, s))

    def binary(self, b):
        return self.send(frame(BINARY, b))

    def finish(self):
        """The server's side of a closing handshake that the client begins."""
        self.closed = self.recv_close()
        payload = self.frames[-1].payload[:2]
        self.send(frame(CLOSE, payload))
        self.end()
        return self.eof()


class Server:
    def __init__(self, *scripts, host="127.0.0.1", unix=None, backlog=16, port=0):
        self.scripts = scripts
        self.stop = threading.Event()
        self.errors = []
        self._conns = []
        self._knocks = {}  # by address: connections of our own
        self.threads = []
        self.accepted = 0
        self.unix = unix
        self.host = host
        self.kept = None
        if unix:
            self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.listener.bind(unix)
            self.port = 0
        else:
            self.listen_at(host, port)
        self.listener.listen(backlog)

    def listen_at(self, host, port):
        """Also reserves a port of ::1 on 127.0.0.1, because a client may try both and must not find another test's server."""
        while True:
            self.listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind((host, port))
            self.port = self.listener.getsockname()[1]
            if host != "::1":
                return
            self.kept = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                self.kept.bind(("127.0.0.1", self.port))
                return
            except OSError:
                self.kept.close()
                self.listener.close()

    @property
    def hostport(self):
        return ("[%s]:%d" if ":" in self.host else "%s:%d") % (self.host, self.port)

    @property
    def url(self):
        return "ws://" + self.hostport + "/"

    @property
    def conns(self):
        """Every connection that was made, also one that a busy machine has not accepted yet."""
        if self.scripts and not self.stop.is_set():
            with socket.socket(self.listener.family, socket.SOCK_STREAM) as s:
                s.bind("" if self.unix else (self.host, 0))
                heard = self._knocks[s.getsockname()] = threading.Event()
                try:
                    s.connect(self.listener.getsockname())
                except OSError:
                    assert self.stop.is_set()
                else:
                    assert heard.wait(LONG) or self.stop.is_set()
        return self._conns

    @property
    def conn(self):
        """The one connection that was made."""
        conns = self.conns
        assert len(conns) == 1, len(conns)
        return conns[0]

    def __enter__(self):
        if self.scripts:
            t = threading.Thread(target=self._accept, daemon=True)
            t.start()
            self.threads.append(t)
        return self

    def _accept(self):
        while not self.stop.is_set():
            try:
                sock, peer = self.listener.accept()
            except OSError:
                return
            if self.stop.is_set():
                sock.close()
                return
            if peer in self._knocks:
                self._knocks.pop(peer).set()
                sock.close()
                continue
            script = self.scripts[min(self.accepted, len(self.scripts) - 1)]
            self.accepted += 1
            try:
                c = Conn(sock, self)
            except OSError:  # reset before we looked
                sock.close()
                continue
            self._conns.append(c)
            t = threading.Thread(target=self._run, args=(script, c), daemon=True)
            t.start()
            self.threads.append(t)

    def _run(self, script, c):
        try:
            script(c)
        except (Gone, ConnectionError):
            pass
        except Exception as e:  # reported by __exit__
            gone = isinstance(e, OSError) and e.errno == errno.ENOTCONN
            if not gone and not self.stop.is_set():
                self.errors.append(e)
        finally:
            try:
                c.sock.close()
            except OSError:
                pass
            c.done.set()

    def wait(self, seconds=LONG):
        """Waits until every script that has begun has ended, so that the test sees all that they saw."""
        for c in list(self.conns):
            assert c.done.wait(seconds), "a script is still waiting for the client"
        return self

    def __exit__(self, kind, value, trace):
        self.stop.set()
        try:  # wake accept
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        if self.kept:
            self.kept.close()
        for c in list(self._conns):
            try:
                c.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for t in self.threads:
            t.join(10)
        for c in self._conns:
            c.sock.close()
        if self.unix and os.path.exists(self.unix):
            os.unlink(self.unix)
        if kind is None and self.errors:
            raise self.errors[0]


def echo(c):
    """Echoes until the client closes, then completes the closing handshake."""
    c.upgrade()
    while True:
        f = c.recv()
        if f.opcode == CLOSE:
            c.send(frame(CLOSE, f.payload[:2]))
            c.end()
            c.eof()
            return
        if f.opcode == PING:
            c.send(frame(PONG, f.payload))
        elif f.opcode != PONG:
            c.send(frame(f.opcode, f.payload, fin=f.fin))


def says(*messages):
    """A script that sends messages (str: text, bytes: binary) after the upgrade, then closes properly."""

    def script(c):
        c.upgrade()
        for m in messages:
            c.send(frame(TEXT if isinstance(m, str) else BINARY, m))
        c.finish()

    return script


def sends(*parts):
    """A script that sends bytes after the upgrade, then awaits the client's close frame (.closed) and ends."""

    def script(c):
        c.closed = None
        c.upgrade()
        c.send(*parts)
        c.closed = c.recv_close()
        c.eof()

    return script


def stopped(p):
    """Ends a server that runs as a separate process."""
    p.terminate()
    try:
        p.wait(20)
    except subprocess.TimeoutExpired:
        p.kill()
        p.wait()


def fill(c, seconds):
    """Sends messages until the client has read nothing for some time."""
    c.sock.settimeout(seconds)
    try:
        while True:
            c.send(frame(TEXT, "x" * 9999))
    except TimeoutError:
        pass
    c.sock.settimeout(60)


def unused_port(host="127.0.0.1"):
    """A port on which nobody listens: bound and kept by the socket returned with it."""
    s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    s.bind((host, 0))
    return s, s.getsockname()[1]


def pump(a, b):
    """Copies between two sockets until both have ended."""

    def one(src, dst):
        try:
            while True:
                data = src.recv(65536)
                if not data:
                    break
                dst.sendall(data)
            dst.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    t = threading.Thread(target=one, args=(a, b), daemon=True)
    t.start()
    one(b, a)
    t.join(LONG)
