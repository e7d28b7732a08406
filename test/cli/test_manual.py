# SPDX-License-Identifier: ISC
"""The examples of wsquery.1: each command is run against scripted servers, and must print what the page shows.

A row of EXAMPLES says what an example needs; a new example of the manual page fails until it has one. example.com, the
proxies and port 8080 are replaced by our servers; "..." in the output of an example matches anything.
"""

import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import time
import types

import pytest
from conftest import BUILT_IN, ROOT, WSQUERY, environment, run
from pki import TlsServer, pki  # noqa: F401
from servers import LONG, TEXT, Server, echo
from test_keep import module  # noqa: F401
from test_proxy import connect, socks5

PAGE = ROOT / "wsquery.1"
PASSPHRASE = "secret"  # of the keys that test/tls/make-certs makes


# The servers that answer for the URLs


def answers(*turns):
    """A script: for each turn awaits the client's message, if it is not None, and sends one."""

    def script(c):
        c.upgrade()
        for want, text in turns:
            if want is not None:
                assert c.recv_message() == (TEXT, want.encode())
            c.text(text)
        c.finish()

    return script


def silent(c):
    c.upgrade()
    c.eof()


def feed(c):
    c.upgrade()
    price = 101
    while not c.server.stop.wait(0.01):
        c.text('{"price": %d}' % price)
        price += 1


def trades(c):
    """Ends the first connection without a close frame."""
    c.upgrade()
    assert json.loads(c.recv_message()[1]) == {"op": "subscribe", "channel": "trades"}
    c.text('{"subscribed": true}')
    c.server.trades = getattr(c.server, "trades", 0) + 1
    c.text('{"trade": %d}' % c.server.trades)
    if c.server.trades > 1:
        c.eof()


def private(c):
    assert c.header("authorization") == "Bearer t0ken"
    echo(c)


def chat(c):
    assert c.header("sec-websocket-protocol") == "chat.v2, chat.v1"
    c.upgrade(extra=["Sec-WebSocket-Protocol: chat.v1"])
    c.finish()


PATHS = {
    "/": echo,
    "/socket": answers((None, "hello, who are you?"), ('{"op": "status"}', '{"status": "up"}')),
    "/login": answers((None, '{"token": "x7"}'), ('{"auth": "x7"}', '{"ok": true}')),
    "/socket.io/": answers((None, "0{}"), ("40", '44{"message":"denied"}')),
    "/silent": silent,
    "/feed": feed,
    "/trades": trades,
    "/private": private,
    "/chat": chat,
    "/?access_token=x7": echo,
}


def site(c):
    c.read_request()
    PATHS[c.request_line.split(" ")[1]](c)


# The examples of the page


def unescaped(text):
    for escape, char in (("\\(aq", "'"), ("\\(dq", '"'), ("\\(ha", "^"), ("\\(ti", "~"), ("\\(ga", "`")):
        text = text.replace(escape, char)
    text = text.replace("\\-", "-").replace("\\&", "")
    assert not re.search(r"\\[^e]", text), text
    return text.replace("\\e", "\\")


def examples():
    """{the sentence above it: its lines} of each display in EXAMPLES."""
    section = re.search(r"^\.Sh EXAMPLES\n(.*?)^\.Sh ", PAGE.read_text(), re.M | re.S)[1]
    found, words, lines = {}, [], None
    for line in section.splitlines():
        if line.startswith(".Bd"):
            lines = []
        elif line == ".Ed":
            title = " ".join(words)
            assert title and title not in found
            found[title] = lines
            words, lines = [], None
        elif lines is not None:
            lines.append(unescaped(line))
        elif not line.startswith((".Pp", ".Ss")):
            words.append(re.sub(r"^\.\w+ ", "", line))
    return found


FOUND = examples()


def turns(lines):
    """[command, what it prints] of each. A command continues after \\, | and ||."""
    pairs = []
    open_ended = False
    for line in lines:
        if open_ended:
            pairs[-1][0] += "\n" + line
        elif line.startswith("$ "):
            pairs.append([line[2:], ""])
        else:
            pairs[-1][1] += line + "\n"
            continue
        open_ended = line.endswith(("\\", "|"))
    return pairs


class Example:
    """How an example is run. files: {name: text}. shows: what it prints, if the page does not say. input: what is typed.
    after: a function that checks what happened. until: a function that says when an endless one may be ended."""

    def __init__(self, files=None, shows=None, input=b"", after=None, until=None, resolve=True, trust=True, client=False):
        self.files, self.shows, self.input, self.after, self.until = files or {}, shows, input, after, until
        self.resolve, self.trust, self.client = resolve, trust, client


def asked_proxy(place, kind, times=1):
    conns = place[kind].wait().conns
    assert len(conns) == times
    for c in conns:
        asked = c.asked if isinstance(c.asked, str) else "%s:%d" % c.asked
        assert asked == "example.com:%d" % place["port"]
    return conns[0]


def metrics(place):
    text = (place["cwd"] / "websocket.prom").read_text()
    assert re.findall(r"^probe_success\{.*check=\"ping\".*\} (\d)$", text, re.M) == ["1", "1"]


def password_sent(place):
    assert asked_proxy(place, "http").header("proxy-authorization").startswith("Basic ")


def client_known(place):
    assert "client" in str(place["site"].conn.client)


def same_file(place):
    assert (place["cwd"] / "answer.bin").read_bytes() == (place["cwd"] / "question.bin").read_bytes()


def night(place):
    lines = (place["cwd"] / "night.jsonl").read_text().splitlines()
    assert len(lines) == 2 and not any("error" in json.loads(x) for x in lines)


def two_trades(place):
    path = place["cwd"] / "trades.jsonl"
    return path.exists() and path.read_text() == '{"trade": 1}\n{"trade": 2}\n'


SERVERS = {"servers.txt": "# our servers\nws://127.0.0.1:8080/\n\nws://127.0.0.1:8080/?access_token=x7\n"}
QUESTION = {"question.bin": "\0\1\2 any bytes"}
PROXY = {"proxy.txt": "http://user:password@proxy.example.com:3128\n"}
CLIENT = {"passphrase.txt": PASSPHRASE + "\n"}

# The key is the beginning of the sentence above the example
EXAMPLES = {
    "Send a message and": Example(),
    "Only the message": Example(),
    "Ask two questions": Example(),
    "Wait for a greeting": Example(),
    "Log in with": Example(),
    "End at once": Example(),
    "A server that sends nothing": Example(),
    "Send five pings": Example(),
    "Show how long": Example(),
    "Wait at most": Example(),
    "Raise an alert": Example(),
    "A check for Nagios": Example(),
    "Fail if the certificate": Example(),
    "Write the metrics": Example(SERVERS, after=metrics),
    "Ask several": Example(),
    "Ask every server": Example(SERVERS, after=night),
    "Follow a feed": Example(),
    "Collect a feed": Example(until=two_trades),
    "Send lines": Example(),
    "Talk to a server": Example(input=b"hi\nthere\n", shows="hi\nthere\n"),
    "Read a token": Example({"token.txt": "t0ken\n"}),
    "The same for a URL": Example({"url.txt": "wss://example.com/?access_token=x7\n"}),
    "Connect through an HTTP": Example(after=lambda p: asked_proxy(p, "http")),
    "Connect through a proxy": Example(PROXY, after=password_sent),
    "Connect through a SOCKS": Example(after=lambda p: asked_proxy(p, "socks")),
    "The environment can": Example(after=lambda p: asked_proxy(p, "http")),
    "Trust the certificate": Example(CLIENT, after=client_known, trust=False, client=True),
    "Test a new server": Example(resolve=False),
    "Offer two": Example(),
    "Send a file": Example(QUESTION, after=same_file),
    "The same with JSON": Example(QUESTION, after=same_file),
}
APART = {"The health check", "A step of a workflow"}  # these have no commands, and each has its own test


def of(beginning):
    titles = [t for t in FOUND if t.startswith(beginning)]
    assert len(titles) == 1, (beginning, titles)
    return FOUND[titles[0]]


def test_each_example_has_its_row():
    rows = list(EXAMPLES) + list(APART)
    assert len(FOUND) == len(rows)
    assert not [t for t in FOUND if not any(t.startswith(r) for r in rows)]
    for row in EXAMPLES:
        assert of(row)[0].startswith("$ ")


def test_a_command_goes_on_in_the_next_line():
    lines = ["$ one \\", "    two |", "    three", "printed", "$ four"]
    assert turns(lines) == [["one \\\n    two |\n    three", "printed\n"], ["four", ""]]


def pattern(text):
    return ".*".join(re.escape(part) for part in text.split("..."))


def tool(directory, name, text):
    path = directory / name
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)


class Running:
    """The servers of an example, and its commands in the shell."""

    def __init__(self, row, cwd, tls):
        self.row, self.cwd, self.tls = row, cwd, tls
        self.bin = cwd / "bin"
        self.bin.mkdir()

    def context(self):
        pki = self.tls
        pki.issue("manual", "rsa", "subjectAltName = DNS:example.com\n")

        def configure(context):
            if self.row.client:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(pki("ca.pem"))

        old = "mbedTLS/2." in run("--version", json=False).out.decode()  # it cannot read a key encrypted with AES
        key = "client-des.key" if old else "client-enc.key"
        for name, source in (("ca.pem", "ca.pem"), ("client.pem", "client.pem"), ("client.key", key)):
            shutil.copy(pki(source), self.cwd / name)
        return pki.context("manual", configure)

    def replaced(self, text):
        for old, new in (
            ("wss://example.com/", "wss://example.com:%d/" % self.site.port),
            ("example.com:443:192.0.2.1", "example.com:%d:127.0.0.1" % self.site.port),
            ("proxy.example.com:3128", self.http.hostport),
            ("127.0.0.1:9050", self.socks.hostport),
            ("127.0.0.1:8080", self.site.hostport),
        ):
            text = text.replace(old, new)
        return text

    def environment(self):
        resolve = "--resolve example.com:%d:127.0.0.1 " % self.site.port if self.row.resolve else ""
        tool(self.bin, "wsquery", 'exec "%s" %s"$@"\n' % (WSQUERY, resolve))
        tool(self.bin, "rlwrap", 'exec "$@"\n')
        env = environment({"PATH": "%s:%s" % (self.bin, os.environ["PATH"])})
        if self.tls and self.row.trust:
            env["SSL_CERT_FILE"] = str(self.cwd / "ca.pem")
        return env

    def run(self, pairs):
        """What each command prints, and its status."""
        script = "status=0\n"
        for i, (command, _) in enumerate(pairs):
            script += "{ (exit $status); %s\n} >out.%d\nstatus=$?; echo $status >status.%d\n" % (self.replaced(command), i, i)
        p = subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, cwd=self.cwd, env=self.environment(),
                             start_new_session=True)
        try:
            if not self.row.until:
                p.communicate(self.row.input, timeout=LONG)
                return [((self.cwd / ("out.%d" % i)).read_text(), int((self.cwd / ("status.%d" % i)).read_text()))
                        for i in range(len(pairs))]
            begin = time.monotonic()
            while not self.row.until(self.place()):
                assert time.monotonic() < begin + LONG and p.poll() is None
                time.sleep(0.05)
            return []
        finally:
            try:
                os.killpg(p.pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
            p.wait()

    def place(self):
        return {"cwd": self.cwd, "site": self.site, "http": self.http, "socks": self.socks, "port": self.site.port}

    def __call__(self, pairs):
        with (TlsServer(self.context(), site) if self.tls else Server(site)) as self.site:
            here = self.site.port
            with Server(connect(to=("127.0.0.1", here))) as self.http, Server(socks5(to=("127.0.0.1", here))) as self.socks:
                for name, text in self.row.files.items():
                    (self.cwd / name).write_text(self.replaced(text))
                commands = [command for command, _ in pairs] + [""]
                for i, (out, status) in enumerate(self.run(pairs)):
                    want = self.row.shows or self.replaced(pairs[i][1])
                    assert re.fullmatch(pattern(want), out), (commands[i], out, want)
                    assert status == 0 or commands[i + 1] == "echo $?", commands[i]
                if self.row.after:
                    self.row.after(self.place())


@pytest.mark.parametrize("row", EXAMPLES)
def test_example(row, tmp_path, request):
    lines = of(row)
    text = "\n".join(lines)
    for word, part in (("wss:", "tls"), ("proxy", "proxies"), ("-x", "proxies"), ("nagios", "nagios"),
                       ("prometheus", "prometheus")):
        if word in text + str(EXAMPLES[row].files) and part not in BUILT_IN:
            pytest.skip(part + ": not in this build")
    if "jq " in text and not shutil.which("jq"):
        pytest.skip("jq is not installed")
    tls = request.getfixturevalue("pki") if "wss:" in text + str(EXAMPLES[row].files) else None
    Running(EXAMPLES[row], tmp_path, tls)(turns(lines))


def test_health_check():
    words = json.loads(re.fullmatch(r"HEALTHCHECK --timeout=5s CMD (\[.*\])", of("The health check")[0])[1])
    assert words[0] == "/wsquery"
    with Server(echo) as s:
        url = words[-1].replace("127.0.0.1:8080", s.hostport)
        subprocess.run([WSQUERY, *words[1:-1], url], env=environment(), check=True, timeout=LONG)


def test_step_of_a_workflow(module, monkeypatch):  # noqa: F811
    yaml = pytest.importorskip("yaml")
    monkeypatch.setenv("WSQUERY", WSQUERY)
    provider = yaml.safe_load("\n".join(of("A step of a workflow")))["steps"][0]["provider"]
    assert provider["type"] == "websocket"
    made = module.WebsocketProvider(None, "id", types.SimpleNamespace(authentication={}))
    with Server(echo) as s:
        assert made.query(**dict(provider["with"], socket_url=s.url)) == {"connection": True, "data": None}
    with Server(silent) as s:
        result = made.query(**dict(provider["with"], socket_url=s.url, timeout="0.3"))
        assert result["connection"] is True and result["error"].startswith("ping to ")


def test_object_with_details():
    """The whole object that the page shows, "..." apart, has the members and the values of a real one."""
    shown = re.search(r"^a whole object.*?^\.Bd -literal\n(.*?)^\.Ed", PAGE.read_text(), re.M | re.S)[1]
    want = json.loads(shown.replace("{...}", "{}").replace("...", '"..."'))
    with Server(echo) as s:
        got = run("-D", "-d", "Hello", s.url, status=0).json
    text = json.dumps(want).replace("127.0.0.1:8080", s.hostport)

    def compare(want, got):
        if isinstance(want, dict) and want:
            assert list(want) == list(got)
            for name in want:
                compare(want[name], got[name])
        elif want not in ("...", {}):
            assert want == got

    compare(json.loads(text), got)
