# SPDX-License-Identifier: ISC
"""Certificates of test/tls/make-certs, the scripted servers of servers.py over Python's ssl, and the program's queries."""

import os
import shutil
import socket
import ssl
import subprocess
import time
import warnings

import pytest
from conftest import ROOT, WSQUERY, environment, run
from servers import LONG, TEXT, Gone, Server, frame

TLS13_SERVER = ssl.HAS_TLSv1_3


def speaks_tls13():
    """Whether the program under test has TLS 1.3."""
    try:
        p = subprocess.run(
            [WSQUERY, "--tls-min", "1.3", "--check", "ws://["], capture_output=True, env=environment(), timeout=60
        )
    except OSError:
        return False
    return p.returncode != 64


TLS13 = TLS13_SERVER and speaks_tls13()
needs_tls13 = pytest.mark.skipif(not TLS13, reason="TLS 1.3: not in this build's TLS library")


def openssl(*args, stdin=None):
    return subprocess.run(["openssl", *args], input=stdin, capture_output=True, check=True, timeout=LONG).stdout


def heard(c):
    """A script for clients that must not send anything. What they do send is in .rest."""
    c.eof()


def welcome(c):
    c.upgrade(frame(TEXT, "welcome"))
    c.finish()


def goodbye(c):
    """close_notify, then the end of our stream."""
    try:
        c.sock.unwrap().close()
    except (OSError, ValueError):
        raise Gone from None


class TlsServer(Server):
    """A Conn's .error says why its handshake failed, or is None. The server's .sni lists the names that were asked for."""

    def __init__(self, context, *scripts, **kw):
        super().__init__(*[self._over_tls(s) for s in scripts], **kw)
        self.context = context
        self.sni = []
        context.sni_callback = lambda sock, name, ctx: self.sni.append(name)

    def _over_tls(self, script):
        def wrapped(c):
            c.error, c.rest = None, b""
            c.sock = self.context.wrap_socket(c.sock, server_side=True, do_handshake_on_connect=False)
            c.end = lambda: goodbye(c)
            try:
                c.sock.do_handshake()
            except OSError as e:
                c.error = e
                self._linger(c)
                return
            c.version, c.cipher, c.alpn = c.sock.version(), c.sock.cipher()[0], c.sock.selected_alpn_protocol()
            c.client = c.sock.getpeercert()
            try:
                script(c)
            except ssl.SSLError:
                raise Gone from None

        return wrapped

    def _linger(self, c):
        """Reads first, so that no reset overtakes the alert that was sent."""
        try:
            c.sock.shutdown(socket.SHUT_WR)
            while c.sock.recv(65536):  # not TLS any more
                pass
        except OSError:
            pass

    def hears_nothing(self):
        """Checks that no client has sent any byte of a request."""
        self.wait()
        assert self.conns
        for c in self.conns:
            assert c.rest == b"" and c.buf == b"" and c.request is None


class Pki:
    def __init__(self, directory):
        self.dir = directory
        shared = os.environ.get("TLS_CERTS", "")  # shared with other tests
        if os.path.isdir(shared):
            shutil.copytree(shared, directory, dirs_exist_ok=True)
        else:
            subprocess.run(["sh", str(ROOT / "test" / "tls" / "make-certs"), str(directory)], check=True, timeout=600)
        # OpenSSL's servers do not use an EC key without digitalSignature in TLS 1.2; with RSA they do
        self.issue("rsausage", "rsa", "keyUsage = critical,keyCertSign\nsubjectAltName = DNS:localhost,IP:127.0.0.1\n")

    def issue(self, name, key, extensions, issuer="int", subject=None):
        """Makes another certificate for an existing key. issuer None: it is self-signed."""
        if name != key:
            shutil.copy(self(key + ".key"), self(name + ".key"))
        (self.dir / (name + ".cnf")).write_text(extensions)
        request = openssl("req", "-new", "-key", self(name + ".key"), "-subj", "/CN=" + (subject or name))
        if issuer:
            signer = ["-CA", self(issuer + ".crt"), "-CAkey", self(issuer + ".key"), "-set_serial", str(time.time_ns())]
        else:
            signer = ["-signkey", self(name + ".key")]
        made = openssl("x509", "-req", *signer, "-days", "900", "-extfile", self(name + ".cnf"), stdin=request)
        (self.dir / (name + ".crt")).write_bytes(made)
        rest = (self.dir / (issuer + ".crt")).read_bytes() if issuer else b""
        (self.dir / (name + ".pem")).write_bytes(made + rest)

    def below(self, authority, leaf, subject="localhost", root=False):
        """Makes a server's certificate and the authority that issued it, with these extensions, and returns what the client
        trusts. root: that is the authority itself, and not one above it."""
        extensions = "basicConstraints = critical,CA:TRUE\n" + authority
        self.issue("authority", "good", extensions, issuer=None if root else "ca", subject="Some Authority")
        self.issue("below", "p384", leaf, issuer="authority", subject=subject)
        if root:
            shutil.copy(self("below.crt"), self("below.pem"))
        return "authority.crt" if root else "ca.pem"

    def __call__(self, name):
        return str(self.dir / name)

    def context(self, cert="good", configure=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if cert == "weak":
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.load_cert_chain(self(cert + ".pem"), self(cert + ".key"))
        if configure:
            configure(context)
        return context

    def server(self, *scripts, cert="good", configure=None, **kw):
        return TlsServer(self.context(cert, configure), *(scripts or (welcome,)), **kw)

    def query(self, port, *args, host="localhost", ca="ca.pem", path="/", **kw):
        """wss://host:port, where the server listens on 127.0.0.1; ca None: no --cacert."""
        if not isinstance(port, int):
            port = port.port
        trust = ["--cacert", self(ca)] if ca else []
        if host.endswith((".example", ".test")):
            trust += ["--resolve", "%s:%d:127.0.0.1" % (host, port)]
        return run("-D", "-4", "-t", 60, *trust, *args, "wss://%s:%d%s" % (host, port, path), **kw)

    def not_after(self, name):
        """A time in seconds since 1970."""
        line = openssl("x509", "-in", self(name), "-noout", "-enddate").decode()
        return ssl.cert_time_to_seconds(line.strip().split("=", 1)[1])

    def pin(self, name):
        key = openssl("pkey", "-pubin", "-outform", "DER", stdin=openssl("x509", "-in", self(name), "-noout", "-pubkey"))
        hashed = openssl("dgst", "-sha256", "-binary", stdin=key)
        return "sha256//" + openssl("base64", stdin=hashed).decode().strip()

    def hashed(self, directory, *names):
        """A directory like those that c_rehash makes."""
        os.makedirs(directory, exist_ok=True)
        for name in names:
            link = openssl("x509", "-in", self(name), "-noout", "-hash").decode().strip()
            shutil.copy(self(name), os.path.join(directory, link + ".0"))
        return str(directory)


made = []


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    if not made:  # each module that imports this fixture gets its own session
        made.append(Pki(tmp_path_factory.mktemp("pki")))
    return made[0]


def fails(r, reason, *words):
    """Checks that the TLS handshake failed with this reason and these words."""
    assert r.status == 1 and r.json["connection"] is False and r.data in (None, [])
    assert (r.details["phase"], r.details["reason"]) == ("tls", reason)
    assert r.details["status"] is None and r.details["timings_ms"]["upgrade"] is None
    tls = r.details["tls"]
    assert tls is None or tls["verified"] is False
    for word in words:
        assert word.lower() in r.error.lower(), word


def version(n):
    """A configure for a server that speaks only TLS 1.n."""

    def configure(context):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # about TLS 1.1, which the test needs
            context.minimum_version = context.maximum_version = ssl.TLSVersion["TLSv1_%d" % n]

    return configure
