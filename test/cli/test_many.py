# SPDX-License-Identifier: ISC
"""Several URLs in one run: on the command line, in a list, many at a time."""

import asyncio
import contextlib
import fcntl
import json
import os
import pty
import re
import resource
import signal
import subprocess
import threading
import time

import pytest
from conftest import SANITIZED, SLACK, WSQUERY, Running, check, environment, needs, no_duplicates, run
from servers import (
    TEXT,
    Server,
    accept_of,
    close_frame,
    echo,
    frame,
    says,
    sends,
    unused_port,
)


def objects(out):
    """The objects on a stdout that has one on each line, by their URL."""
    assert not out or out.endswith(b"\n")
    found = {}
    for line in out.decode().splitlines():
        obj = json.loads(line, object_pairs_hook=no_duplicates)
        check(obj)
        assert list(obj)[0] == "url", line
        found.setdefault(obj["url"], []).append(obj)
    return found


def many(*args, **kw):
    r = run(*args, json=False, **kw)
    r.objects = objects(r.out)
    return r


class Crowd:
    """A server in one thread for any number of clients, which greets each of them with its path. With together=N it
    greets nobody until N of them are connected. .sent has what they sent, .most and .seen count them."""

    def __init__(self, together=1):
        self.together = together
        self.here = self.most = self.seen = 0
        self.sent = []
        self.loop = asyncio.new_event_loop()

    async def _client(self, reader, writer):
        self.here += 1
        self.seen += 1
        self.most = max(self.most, self.here)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            while self.most < self.together:
                await asyncio.sleep(0.01)
            key = re.search(rb"Sec-WebSocket-Key: (\S+)", head).group(1)
            path = head.split(b" ", 2)[1]
            writer.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept_of(key) + b"\r\n\r\n" + frame(TEXT, path)
            )
            b = await reader.readexactly(6)
            while b[0] & 15 != 8:
                data = await reader.readexactly(b[1] & 127)
                self.sent.append(bytes(x ^ b[2 + i % 4] for i, x in enumerate(data)))
                b = await reader.readexactly(6)
            await reader.readexactly(b[1] & 127)
            writer.write(close_frame(1000))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.here -= 1
            writer.close()

    async def _start(self):
        self.server = await asyncio.start_server(self._client, "127.0.0.1", 0, backlog=2000)
        self.port = self.server.sockets[0].getsockname()[1]

    async def _stop(self):
        self.server.close()
        for t in asyncio.all_tasks():
            if t is not asyncio.current_task():
                t.cancel()

    def __enter__(self):
        self.loop.run_until_complete(self._start())
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.url = "ws://127.0.0.1:%d/" % self.port
        return self

    def __exit__(self, *unused):
        asyncio.run_coroutine_threadsafe(self._stop(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()


def lines(urls):
    return "".join(u + "\n" for u in urls).encode()


# the command line


def test_two_urls():
    with Server(echo) as s, Server(says("other")) as t:
        r = many("-d", "Hello", s.url, t.url, status=0)
        assert r.objects == {
            s.url: [{"url": s.url, "connection": True, "data": "Hello"}],
            t.url: [{"url": t.url, "connection": True, "data": "other"}],
        }


def test_one_url_is_as_it_was():
    with Server(echo) as s:
        assert run("--jobs", 5, "--no-progress", "-d", "x", s.url, status=0).json == {"connection": True, "data": "x"}


def test_a_list_of_one_has_its_url(tmp_path):
    with Server(echo) as s:
        (tmp_path / "list").write_text(s.url)
        r = many("-d", "x", "--from", tmp_path / "list", status=0)
        assert r.objects == {s.url: [{"url": s.url, "connection": True, "data": "x"}]}


def test_the_same_url_twice():
    with Server(echo) as s:
        assert len(many("-d", "x", s.url, s.url, status=0).objects[s.url]) == 2


def test_options_hold_for_each():
    with Server(echo) as s, Server(echo) as t:
        many("-d", "a", "-e", "a", "-d", "b", "-H", "X-Y: z", "-B", s.url, t.url, status=0)
        for x in (s, t):
            c = x.wait().conn
            assert c.header("x-y") == "z" and [f.payload for f in c.frames[:2]] == [b"a", b"b"]


def test_secrets_are_masked():
    with Server(echo) as s:
        url = "ws://joe:s3cret@%s/?token=s3cret&x=1" % s.hostport
        r = many("-d", "x", url, url, "-D", secrets=["s3cret"], status=0)
        assert list(r.objects) == ["ws://%s/?token=***&x=1" % s.hostport]


@pytest.mark.parametrize("fates, status", [("00", 0), ("01", 1), ("03", 3), ("13", 1), ("31", 1), ("33", 3), ("u0", 1)])
def test_status(fates, status):
    sock, port = unused_port()
    with sock, Server(echo) as good, Server(sends(close_frame(1001))) as bad:
        urls = {"0": good.url, "1": "ws://127.0.0.1:%d/" % port, "3": bad.url, "u": "http:/wrong"}
        many("-d", "x", *[urls[f] + ("" if f == "u" else "?%d" % i) for i, f in enumerate(fates)], status=status)


# lists


def test_lines_of_a_list(tmp_path):
    path = tmp_path / "list"
    with Crowd() as c:
        long = c.url + "x" * (8192 - len(c.url))
        path.write_bytes(
            b"\xef\xbb\xbf# a comment after a byte order mark\r\n\r\n"
            + lines([c.url + "a", "  ", "\t" + c.url + "b  ", "#" + c.url + "no", long, long + "x", long * 5])
            + (c.url + "crlf\r\n").encode()
            + (c.url + "n\0ul\n").encode()
            + b"nonsense\n"
            + (c.url + "last").encode()
        )
        r = many("-n", 1, "--from", path, status=1)
        for name in ("a", "b", "crlf", "last"):
            assert r.objects[c.url + name] == [{"url": c.url + name, "connection": True, "data": "/" + name}]
        assert [o["connection"] for o in r.objects[long]].count(True) == 1  # the shown URL is cut if it is too long
        wrong = [o["error"] for objs in r.objects.values() for o in objs if not o["connection"]]
        assert len(wrong) == 4 and sum("long" in e for e in wrong) == 2, wrong
        assert c.seen == 5


def test_empty_lists(tmp_path):
    (tmp_path / "list").write_text("\n# nothing\n\n")
    assert run("--from", tmp_path / "list", status=0, json=False).out == b""
    assert run("--from", "-", stdin=b"", status=0, json=False).out == b""


def test_a_list_beside_urls(tmp_path):
    with Crowd() as c:
        r = many(c.url + "1", "--from", "-", c.url + "2", stdin=lines([c.url + "3"]), status=0)
        assert sorted(r.objects) == [c.url + x for x in "123"]


@pytest.mark.parametrize("what", ["directory", "missing", "closed"])
def test_a_list_that_cannot_be_read(what, tmp_path):
    path = {"directory": tmp_path, "missing": tmp_path / "none", "closed": "-"}[what]
    if what == "closed":
        p = subprocess.run(["sh", "-c", 'exec "$0" --from - <&-', WSQUERY], capture_output=True, env=environment())
        assert p.returncode == 64 and p.stdout == b"" and b"--from: standard input" in p.stderr
        return
    r = run("--from", path, status=64)
    assert "--from: " in r.err and str(path) in r.err


def test_standard_input_as_it_comes():
    """Each URL is asked as soon as its line has arrived."""
    with Crowd() as c, Running("--from", "-", stdin=subprocess.PIPE) as p:
        for i in range(3):
            p.p.stdin.write(lines([c.url + str(i)]))
            p.p.stdin.flush()
            assert json.loads(p.p.stdout.readline())["data"] == "/%d" % i
        p.p.stdin.close()
        p.p.stdin = None
        p.end(status=0, json=False)


@pytest.mark.skipif(SANITIZED, reason="a sanitizer keeps what is freed")
def test_a_long_list_is_not_held():
    """The memory does not depend on the length of the list."""
    peak = []
    for n in (1000, 50000):
        p = subprocess.Popen([WSQUERY, "-q", "--from", "-"], stdin=subprocess.PIPE, env=environment())
        block = lines(["nonsense://%s" % ("x" * 80)] * 1000)
        for _ in range(n // 1000):
            p.stdin.write(block)
        p.stdin.flush()
        # everything has been read, except what a pipe and our buffer hold
        with open("/proc/%d/status" % p.pid) as f:
            peak.append(int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1)))
        p.stdin.close()
        assert p.wait(60) == 1
    assert peak[1] <= peak[0] + 256, peak


# jobs


@pytest.mark.parametrize("jobs", [1, 2, 64, 1000])
def test_jobs(jobs):
    """Exactly --jobs queries run at a time, and all of them are answered."""
    n = max(3 * jobs, 10) if jobs < 1000 else 1000
    with Crowd(together=jobs) as c:
        urls = [c.url + str(i) for i in range(n)]
        r = many("-t", 60, "--jobs", jobs, "--from", "-", stdin=lines(urls), status=0)
        assert sorted(r.objects) == sorted(urls)
        assert all(r.objects[c.url + str(i)][0]["data"] == "/%d" % i for i in range(n))
        assert c.seen == n and c.most == jobs


def test_descriptors_are_used_up():
    """If there are few descriptors, queries wait for one another."""
    with Crowd() as c:
        urls = [c.url + str(i) for i in range(300)]
        name = "ws://localhost:%d/" % c.port
        r = many_with_limit(24, "-t", 60, "--jobs", 1000, "--from", "-", stdin=lines(urls + [name] * 20))
        assert r.returncode == 0, r.stdout
        assert sum(len(o) for o in objects(r.stdout).values()) == 320


class Short(Running):
    """A run with --from -, which has asked one URL and now finds no more than n descriptors. The limit is set while
    it runs, so it does not know it."""

    def __init__(self, n, first, *args):
        super().__init__("--from", "-", *args, stdin=subprocess.PIPE)
        self.feed([first])
        assert json.loads(self.p.stdout.readline())["connection"]
        while "socket" in self.opened().values():
            time.sleep(0.01)  # the first connection is being closed
        taken = max(self.opened())
        resource.prlimit(self.p.pid, resource.RLIMIT_NOFILE, (taken + 1 + n,) * 2)

    def opened(self):
        """The kind of each of its descriptors: "pipe", "socket" ..."""
        found, directory = {}, "/proc/%d/fd/" % self.p.pid
        for fd in os.listdir(directory):
            with contextlib.suppress(FileNotFoundError):
                found[int(fd)] = os.readlink(directory + fd).split(":")[0]
        return found

    def feed(self, urls):
        self.p.stdin.write(lines(urls))
        self.p.stdin.flush()

    def rest(self, **kw):
        self.p.stdin.close()
        self.p.stdin = None
        return objects(self.end(json=False, **kw).out)


HAS_PRLIMIT = hasattr(resource, "prlimit") and os.path.isdir("/proc/self/fd")
needs_prlimit = pytest.mark.skipif(SANITIZED or not HAS_PRLIMIT, reason="no prlimit or /proc here, or a sanitizer needs additional descriptors")


@needs_prlimit
def test_descriptors_are_taken_away():
    """A query that finds no descriptor waits for one, though the program had counted on more."""
    with Crowd() as c, Short(3, c.url + "first", "-D", "-t", 60) as p:
        urls = [c.url + str(i) for i in range(60)]
        p.feed(urls)
        found = p.rest(status=0)
        assert sorted(found) == sorted(urls)
        assert all(o["data"] and o["details"]["attempts"] == 1 for (o,) in found.values())


@needs_prlimit
def test_descriptors_do_not_come_back():
    """Each query waits until its deadline, and its error says what was missing."""
    with Crowd() as c, Short(0, c.url + "first", "-D", "-t", 0.5) as p:
        urls = [c.url + str(i) for i in range(3)]
        p.feed(urls)
        found = p.rest(status=1)
        assert sorted(found) == urls
        for (o,) in found.values():
            assert o["details"]["reason"] == "io" and "Too many open files" in o["error"]
            assert o["details"]["timings_ms"]["total"] >= 490


@needs_prlimit
def test_a_signal_ends_the_waiting_for_a_descriptor():
    with Crowd() as c, Short(0, c.url + "first", "-D", "-t", 60) as p:
        p.feed([c.url + "1"])
        time.sleep(0.3)
        p.signal(signal.SIGTERM)
        (o,) = p.rest(status=143, within=3)[c.url + "1"]
        assert o["details"]["reason"] == "interrupted"


def many_with_limit(n, *args, stdin=None):
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (n, n))

    args = [WSQUERY] + [str(a) for a in args]
    return subprocess.run(args, input=stdin, capture_output=True, env=environment(), preexec_fn=limit, timeout=120)


def test_one_that_hangs_holds_up_no_other():
    with Server(lambda c: c.read_request().hold()) as deaf, Crowd() as c:
        with Running("-t", 30, "--jobs", 2, deaf.url, *[c.url + str(i) for i in range(20)]) as p:
            for _ in range(20):
                assert json.loads(p.p.stdout.readline())["connection"]
            p.signal(signal.SIGTERM)
            r = p.end(status=143, json=False, within=5)
            assert list(objects(r.out)) == [deaf.url]


COSTLY = "(a?){255}(a?){255}(a?){255}(a?){255}b"  # some 50 us for each byte
GROUPS = "((((a*)*)*(a|aa)*(b|ab)*)*(a{50}|(a{49})*))*"


@pytest.mark.parametrize(
    "options",
    [("-e", COSTLY + "|go on"), ("--fail-on", COSTLY, "-e", "go on"), ("-e", GROUPS + "c|go on|a$", "--data-expand", "${1}", "-n", 0)],
    ids=["expect", "fail-on", "groups"],
)
def test_a_costly_match_holds_up_no_other(options):
    """The match would take most of a minute. The other answers are printed meanwhile. This query ends last, by the signal,
    and its result has the message that was being matched."""
    message = "a" * (1 << 20)
    started = threading.Event()

    def costly(c):
        c.upgrade().text(message)
        started.set()
        c.hold()

    def later(c):
        c.upgrade()
        started.wait(SLACK)
        time.sleep(0.2)  # by then most of the message has arrived
        c.text("no").text("go on").finish()

    with Server(costly) as s, Server(later) as t:
        with Running("-D", "-t", 60, *options, s.url, t.url + "1", t.url + "2") as p:
            others = [json.loads(p.p.stdout.readline()) for _ in range(2)]
            assert sorted(o["url"] for o in others) == [t.url + "1", t.url + "2"]
            assert [o.get("error") for o in others] == [None, None]
            p.signal(signal.SIGTERM)
            last = objects(p.end(status=143, json=False, within=3).out)[s.url][0]
            assert last["details"]["reason"] == "interrupted" and last["data"] == message


def test_a_costly_match_lets_the_others_time_out():
    """Each query ends at its deadline, whether its server is silent or a message is being matched."""
    with Server(lambda c: c.upgrade().text("a" * (1 << 20)).hold()) as s, Server(lambda c: c.upgrade().hold()) as deaf:
        urls = [deaf.url] * 3 + [s.url] * 3
        r = many("-D", "-t", "0.5", "-e", COSTLY, *urls, status=3, within=1)
        for url in urls:
            assert [o["details"]["reason"] for o in r.objects[url]] == ["timeout"] * 3
        assert all(len(o["data"]) == 1 << 20 for o in r.objects[s.url])


@pytest.mark.parametrize("how", ["expect", "fail-on", "groups"])
def test_matches_side_by_side_do_not_disturb_one_another(how):
    """Each query takes several turns of the loop, and ends as if it were the only one."""
    big = {"expect": 30000, "fail-on": 30000, "groups": 16000}[how] // (3 if SANITIZED else 1)
    ends = ["b", "c", "xb", "bcd", "cb", "xcb"] if how == "groups" else ["b", "c", "d", "bcd", "cb", ""]
    greetings = ["a" * (big + 100 * i) + end for i, end in enumerate(ends)]
    options = {
        "expect": ("-e", "(a?){255}[bc]$"),
        "fail-on": ("--fail-on", "(a?){255}xb", "--fail-on", "(a?){255}[bc]$", "-n", 1),
        "groups": ("-e", "(a+)((a|aa){4})*x?([bc])(.*)", "--data-expand", "${4}${5}"),
    }[how]

    def greets(text):
        def script(c):
            c.upgrade().text(text)
            if how == "groups":
                c.send(frame(TEXT, c.recv_message()[1]))
            elif how == "expect" and text[-1] not in "bc":
                c.send(close_frame(1000))
            c.finish()

        return script

    with contextlib.ExitStack() as stack:
        urls = [stack.enter_context(Server(greets(g))).url for g in greetings]
        together = run("-D", "-t", 20, *options, *urls, json=False)
        found = objects(together.out)
        for url in urls:
            alone = run("-D", "-t", 20, *options, url)
            assert without_times(found[url][0]) == without_times(alone.json), url
            assert len(found[url]) == 1


def test_each_has_its_own_time():
    """--timeout counts from the beginning of each query: the second one begins when the first has ended."""
    with Server(lambda c: c.read_request().hold()) as s:
        r = many("-D", "-t", "0.4", "--jobs", 1, s.url + "1", s.url + "2", s.url + "3", status=1, at_least=1.2, within=1.5)
        for objs in r.objects.values():
            assert objs[0]["details"]["reason"] == "timeout" and objs[0]["details"]["timings_ms"]["total"] >= 390


def test_tries_of_each():
    refuse = lambda c: c.refuse("503 Busy").eof()  # noqa: E731
    with Server(refuse, refuse, echo) as s, Server(refuse) as t:
        r = many("-D", "-d", "x", "--retry", 2, "--retry-delay", "0.01", s.url, t.url, status=1)
        assert r.objects[s.url][0]["details"]["attempts"] == 3 and r.objects[s.url][0]["connection"]
        assert r.objects[t.url][0]["details"]["attempts"] == 3 and not r.objects[t.url][0]["connection"]


# a query ends in the same way alone and among others


def without_times(obj):
    """An object without its url, its times, and the times and ports in its sentences."""
    obj = json.loads(json.dumps(obj))
    obj.pop("url", None)
    if "details" in obj:
        for k, v in obj["details"]["timings_ms"].items():
            obj["details"]["timings_ms"][k] = v is not None
        headers = obj["details"]["headers"] or {}
        headers.pop("sec-websocket-accept", None)
    if "error" in obj:
        obj["error"] = re.sub(r"\d+(\.\d+)? (ms|s)\b", "N s", obj["error"])
        obj["error"] = obj["error"].replace(" (the limit was N s)", "")  # it depends on how long opening took
        obj["error"] = re.sub(r'"[\w+/]{27}="', "KEY", obj["error"])
        obj["error"] = re.sub(r"clock says [-\w:]+", "clock says", obj["error"])
    return obj


FATES = {
    "echoes": echo,
    "greets": says("first", "second"),
    "binary": says(bytes(range(200))),
    "closes": sends(close_frame(4000, "no")),
    "ends": lambda c: c.upgrade().end(),
    "violates": sends(frame(TEXT, "x", rsv=1)),
    "not utf8": sends(frame(TEXT, b"\xff")),
    "too big": sends(frame(TEXT, "y" * 5000)),
    "refuses": lambda c: c.refuse("403 Forbidden", b"go away").eof(),
    "no http": lambda c: c.read_request().send(b"SSH-2.0-x\r\n").eof(),
    "wrong accept": lambda c: c.upgrade(Sec_WebSocket_Accept=b"AAAA").eof(),
    "silent": lambda c: c.upgrade().hold(),
    "deaf": lambda c: c.read_request().hold(),
}


@pytest.mark.parametrize("options", [("-d", "x"), ("-d", "x", "-n", 2), ("-p", "-e", "^x$"), ("--check",)], ids=str)
def test_mixed_fates(options):
    sock, port = unused_port()
    options = ("-D", "-t", 2, "--max-message", 4096, *options)
    with contextlib.ExitStack() as stack:
        stack.enter_context(sock)
        urls = [stack.enter_context(Server(script)).url for script in FATES.values()]
        urls += ["ws://127.0.0.1:%d/" % port, "ws://[::1", "ftp://h/", "ws://h/#x"]
        together = run("--jobs", 64, *options, *urls, json=False)
        found = objects(together.out)
        assert sum(len(x) for x in found.values()) == len(urls)
        statuses = set()
        for url in urls:
            alone = run(*options, url)
            statuses.add(alone.status)
            assert without_times(found[url][0]) == without_times(alone.json), url
        assert together.status == (1 if 1 in statuses else 3 if 3 in statuses else 0)


# formats


def test_raw_stays_together():
    """The messages of each query are printed together, although they arrived at the same time."""

    def slowly(word):
        def script(c):
            c.upgrade()
            for i in range(20):
                c.text("%s%d" % (word, i))
                time.sleep(0.005)
            c.finish()

        return script

    with Server(slowly("a")) as a, Server(slowly("b")) as b:
        out = run("-f", "raw", "-n", 20, a.url, b.url, status=0, json=False).out.decode().split()
        of = {w: [w + str(i) for i in range(20)] for w in "ab"}
        assert out in (of["a"] + of["b"], of["b"] + of["a"])


def test_raw_errors_name_the_url():
    sock, port = unused_port()
    with sock, Server(echo) as s:
        url = "ws://127.0.0.1:%d/?key=s3cret" % port
        r = run("-f", "raw", "-d", "x", s.url, url, status=1, json=False, secrets=["s3cret"])
        assert r.out == b"x\n" and "wsquery: ws://127.0.0.1:%d/?key=***: connect to " % port in r.err


def test_quiet():
    with Server(echo) as s:
        r = run("-q", "-d", "x", s.url, "nonsense", status=1, json=False)
        assert r.out == b"" and r.err == ""


@needs("prometheus")
def test_prometheus():
    sock, port = unused_port()
    with sock, Server(echo) as s:
        bad = "ws://127.0.0.1:%d/" % port
        out = run("-f", "prometheus", "-d", "x", s.url, bad, "nonsense", status=1, json=False).out.decode()
        names = re.findall(r"^# (HELP|TYPE) (\S+)", out, re.M)
        assert len(names) == len(set(names)) >= 12
        for line in out.splitlines():
            assert line.startswith("# ") or re.fullmatch(r'\w+\{target="[^"]*"(,phase="\w+")?\} -?[\d.]+', line), line
        assert re.findall(r'^probe_success\{target="(.*)"\} (\d)$', out, re.M) == [(s.url, "1"), (bad, "0"), ("nonsense", "0")]
        # all samples of a metric are together, after its TYPE
        metric = None
        for line in out.splitlines():
            if line.startswith("# TYPE"):
                metric = line.split()[2]
            elif not line.startswith("#"):
                assert line.split("{")[0] == metric


@needs("prometheus")
def test_prometheus_has_one_sample_for_a_target():
    refuse = lambda c: c.refuse().eof()  # noqa: E731
    with Server(echo, refuse, echo) as s:
        r = run("-f", "prometheus", "-d", "x", "--jobs", 1, *[s.url + "?key=%d" % i for i in range(3)], status=1, json=False)
        assert re.findall(rb'^probe_success\{target="(.*)"\} (\d)$', r.out, re.M) == [(s.url.encode() + b"?key=***", b"0")]
        assert "same target" in r.err


def test_verbose_names_the_url():
    with Server(echo) as s, Server(echo) as t:
        r = run("-v", "-d", "x", s.url, t.url + "?key=s3cret", status=0, json=False, secrets=["s3cret"])
        assert s.url + " > GET / HTTP/1.1\n" in r.err and t.url + "?key=*** < text, 1 byte: \"x\"\n" in r.err


# standard input, output and signals


def test_data_of_standard_input_is_read_once():
    with Crowd() as c:
        many("-d", "@-", "-n", 1, *[c.url + str(i) for i in range(5)], stdin=b"from stdin", status=0)
        assert c.sent == [b"from stdin"] * 5


def test_data_that_is_wrong_is_told_once(tmp_path):
    (tmp_path / "f").write_bytes(b"\xff")
    r = run("-d", "@%s" % (tmp_path / "f"), "ws://127.0.0.1:1/", "ws://127.0.0.1:2/", status=64)
    assert r.err.count("UTF-8") == 1
    r = run("-H", "@%s" % (tmp_path / "none"), "ws://127.0.0.1:1/", "ws://127.0.0.1:2/", status=64)
    assert r.err.count("No such file") == 1


def test_environment_of_each():
    """An invalid proxy in the environment fails the queries that need it, as if each ran alone."""
    with Server(echo) as s:
        r = many("-D", "-d", "x", s.url, "ws://192.0.2.1/", env={"ws_proxy": "gopher://p"}, status=1)
        assert r.objects[s.url][0]["connection"]
        assert r.objects["ws://192.0.2.1/"][0]["details"]["phase"] == "proxy"
        assert r.err.count("ignored") <= 1


@pytest.mark.parametrize("sig, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal(sig, status):
    """Queries that have not ended are printed as interrupted."""
    with Server(lambda c: c.read_request().hold()) as s, Server(echo) as t:
        urls = [s.url + str(i) for i in range(5)]
        with Running("-D", "-t", 60, "-d", "x", "--jobs", 3, t.url, *urls) as p:
            assert json.loads(p.p.stdout.readline())["url"] == t.url
            s.conns and time.sleep(0.1)
            p.signal(sig)
            found = objects(p.end(status=status, json=False, within=3).out)
        assert sorted(found) == urls
        assert {o[0]["details"]["reason"] for o in found.values()} == {"interrupted"}


def test_signal_in_an_endless_list():
    with Server(lambda c: c.read_request().hold()) as s:
        with Running("-D", "-t", 60, "--jobs", 2, "--from", "-", stdin=subprocess.PIPE) as p:
            p.p.stdin.write(lines([s.url + "1"]))
            p.p.stdin.flush()
            while not s.conns:
                assert p.p.poll() is None, "the program has ended"
                time.sleep(0.01)
            p.signal(signal.SIGINT)
            r = p.p.wait(30)
            assert r == 130 and list(objects(p.p.stdout.read())) == [s.url + "1"]


def test_nobody_reads():
    with Crowd() as c:
        p = subprocess.Popen([WSQUERY, "--from", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
        p.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            for i in range(1000):
                p.stdin.write(lines([c.url + str(i)] * 100))
        with contextlib.suppress(BrokenPipeError):
            p.stdin.close()
        err = p.stderr.read().decode()
        assert p.wait(60) == 74 and err.count("standard output") == 1
        p.stderr.close()
        assert c.seen < 1000


@contextlib.contextmanager
def long_list_that_nobody_reads():
    """A program whose reader takes nothing, and a list that goes on after the program has stopped reading it."""
    n = 3000
    with Crowd() as c, Running("-t", 30, "--from", "-", stdin=subprocess.PIPE) as running, running.killed_after(120):
        p = running.p
        fcntl.fcntl(p.stdout, fcntl.F_SETPIPE_SZ, 4096)
        feed = threading.Thread(target=lambda: (p.stdin.write(lines([c.url + "x" * 90 + str(i) for i in range(n)])), p.stdin.close()))
        feed.start()
        seen = -1
        while seen != c.seen or seen < 200:  # it stops by itself
            seen = c.seen
            time.sleep(0.5)
        assert seen < n
        yield p
        found = objects(p.stdout.read())
        feed.join()
        assert p.wait(60) == 0 and sum(len(o) for o in found.values()) == n


def test_a_slow_reader_holds_the_list_up():
    """Nothing is lost, no query times out, and no more queries begin than the reader can keep up with."""
    with long_list_that_nobody_reads():
        pass


def test_a_reader_that_takes_everything_at_once():
    """All waiting output is written at once, although no query is running whose end would start the next one."""
    with long_list_that_nobody_reads() as p:
        fcntl.fcntl(p.stdout, fcntl.F_SETPIPE_SZ, 1 << 20)


# progress


def on_a_terminal(*args, until, stdin=None):
    """What wsquery writes to a terminal as standard error until it has written `until` (None: to its end)."""
    master, slave = pty.openpty()
    p = subprocess.Popen([WSQUERY] + [str(a) for a in args], stdin=stdin or subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=slave, env=environment())
    os.close(slave)
    text = b""
    try:
        while until is None or until not in text:
            got = os.read(master, 1000)
            if not got:
                break
            text += got
            if b"queries have ended" in text and until is None:
                p.send_signal(signal.SIGTERM)
    except OSError:
        pass
    finally:
        if until is not None:
            p.terminate()
        out = p.stdout.read()
        p.wait(SLACK + 60)
        with contextlib.suppress(OSError):
            while True:
                got = os.read(master, 1000)
                if not got:
                    break
                text += got
        os.close(master)
        p.stdout.close()
    return text, out


def screen(text):
    """What a terminal with one line shows at the end."""
    shown, at = "", 0
    for c in text.decode():
        if c == "\r":
            at = 0
        elif c == "\n":
            shown, at = "", 0
        else:
            shown = shown[:at].ljust(at) + c + shown[at + 1 :]
            at += 1
    return shown.strip()


def test_progress(tmp_path):
    with Server(lambda c: c.read_request().hold()) as deaf, Server(echo) as s:
        (tmp_path / "list").write_bytes(lines([deaf.url, "# no", s.url]))
        text, out = on_a_terminal("-d", "x", "-t", 60, "--from", tmp_path / "list", "nonsense", until=None)
        assert b"wsquery: 2 of 3 queries have ended, 1 of them with an error" in text
        assert screen(text) == "" and len(objects(out)) == 3


def test_progress_is_left_out():
    with Server(lambda c: c.read_request().hold()) as deaf:
        for args in (["--no-progress"], ["-q"]):
            text, _ = on_a_terminal("-t", "1.5", *args, deaf.url, deaf.url, until=b"\n")
            assert text == b"", text
        r = many("-t", "1.3", deaf.url, deaf.url, status=1)  # stderr is not a terminal
        assert r.err == ""


def test_progress_of_an_upload(tmp_path):
    """A long message to a slow server."""

    def slow(c):
        c.upgrade()
        while True:
            c.sock.recv(4096)
            time.sleep(0.002)

    (tmp_path / "f").write_bytes(b"x" * (32 << 20))
    with Server(slow) as s:
        text, _ = on_a_terminal("-t", 60, "-d", "@%s" % (tmp_path / "f"), s.url, until=b"KiB are sent")
        assert re.search(rb"wsquery: \d+ of 32768 KiB are sent", text) and screen(text) == ""
        text, _ = on_a_terminal("-t", "1.5", "--no-progress", "-d", "@%s" % (tmp_path / "f"), s.url, until=b"\n")
        assert b"sent" not in text
