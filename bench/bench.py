# SPDX-License-Identifier: ISC
"""make bench: measures the speed, memory and size that the project promises, and prints each with its limit.

usage: bench.py DIR [PART]...

bench.mk builds what it measures into DIR: the static programs wsquery, floor, minimal and minimal_numeric; wsquery_tls where
there is TLS; wsquery_make, as `make` builds it; the tools spawn, recv, upload, stream, idle and echo_server; and library.size, the output of `size -A` for
the library without TLS and resolver.
"""

import contextlib
import os
import pty
import re
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
import tty

DIR = os.path.abspath(sys.argv[1])
RUNS = int(os.environ.get("BENCH_RUNS", "2000"))
good = bad = missed = skipped = 0


def tool(name):
    return os.path.join(DIR, name)


def line(what, value, unit="", limit=None, least=False, guard=None):
    """Prints one figure, which counts if it has a limit. guard: a wider limit, up to which it is "not reached" but no failure."""
    global good, bad, missed
    text = "%-62s %10s %-5s" % (what, ("%.3f" % value if isinstance(value, float) else str(value)), unit)
    if limit is not None:
        ok = value >= limit if least else value <= limit
        kept = guard is not None and value <= guard
        good += ok
        missed += not ok and kept
        bad += not ok and not kept
        text += " %s %-7s %s" % (">=" if least else "<=", limit, "ok" if ok else "not reached" if kept else "FAILED")
    print(text.rstrip(), flush=True)


def skip(what, why):
    global skipped
    skipped += 1
    print("%-62s skipped: %s" % (what, why), flush=True)


def run(*args, **kw):
    kw.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run([str(a) for a in args], capture_output=True, text=True, **kw)


class Served:
    """A server that prints one line once it listens, and ends with its standard input."""

    def __init__(self, *command):
        self.p = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.said = self.p.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.p.stdin.close()
        self.p.wait()
        self.p.stdout.close()


class Echo(Served):
    def __init__(self, *args):
        super().__init__(tool("echo_server"), *args)
        self.url = self.said
        self.port = int(re.search(r":(\d+)/$", self.url).group(1))


def times(runs, *programs):
    """(least, median) in microseconds for each program, run by turns."""
    args = []
    for p in programs:
        args += (["--"] if args else []) + [str(a) for a in p]
    r = run(tool("spawn"), "time", runs, *args)
    out = [x.split() for x in r.stderr.splitlines() if re.fullmatch(r"[\d.]+ [\d.]+ \d+ [\d.]+", x)]
    assert len(out) == len(programs) and all(x[2] == "0" for x in out), r.stderr
    return [(float(x[0]), float(x[1])) for x in out]


def memory(*program):
    """(anonymous, resident, most resident) in KiB at its exit."""
    r = run(tool("spawn"), "memory", *program)
    return tuple(int(x) for x in re.findall(r"^(\d+) (\d+) (\d+)$", r.stderr, re.M)[-1])


def syscalls(*program):
    out = os.path.join(DIR, "strace.out")
    run("strace", "-f", "-o", out, *program)
    with open(out) as f:
        return sum(1 for x in f if re.match(r"\d+ +\w+\(", x))


def bench_time():
    with Echo() as e:
        floor, ours = times(RUNS, [tool("floor"), e.port], [tool("wsquery"), "-d", "Hello", e.url])
    line("query, least wall time of %d runs by turns: floor" % RUNS, floor[0], "us")
    line("query, least wall time: wsquery", ours[0], "us")
    line("query, wsquery / floor (least)", ours[0] / floor[0], "", 1.3, guard=1.5)
    line("query, wsquery / floor (median)", ours[1] / floor[1])


def bench_memory():
    with Echo() as e:
        anonymous, resident, _ = memory(tool("wsquery"), "-d", "Hello", e.url)
    size = (os.path.getsize(tool("wsquery")) + 1023) // 1024
    line("query, anonymous memory at exit", anonymous, "KiB", 48)
    line("query, resident memory at exit (the file and 32)", resident, "KiB", size + 32, guard=size + 48)


def bench_calls():
    if not shutil.which("strace"):
        skip("query, system calls", "no strace here")
        return
    with Echo() as e:
        line("query, system calls, by address", syscalls(tool("wsquery"), "-d", "Hello", e.url), "", 32, guard=40)
    name, six = name_of_loopback()
    if not name:
        skip("query, system calls, by name", "/etc/hosts has no name for the loopback but localhost")
        return
    with Echo(*(["-6"] if six else [])) as e:
        url = "ws://%s:%d/" % (name, e.port)
        line("query, system calls, by name (%s)" % name, syscalls(tool("wsquery"), "-d", "Hello", url), "", 64, guard=72)


def name_of_loopback():
    """A name that takes the resolver (localhost does not)."""
    try:
        with open("/etc/hosts") as f:
            for x in f:
                words = x.split("#")[0].split()
                if words and words[0] in ("127.0.0.1", "127.0.1.1", "::1"):
                    for w in words[1:]:
                        if not w.endswith("localhost"):
                            return w, words[0] == "::1"
    except OSError:
        pass
    return None, False


def bench_flood():
    with Echo() as e:
        peak = []
        for n in (300, 30000):
            url = "%sflood/%d/20000" % (e.url, n)
            a = memory(tool("wsquery"), "-t", "100", "-e", "never", "--max-message", "64k", url)
            peak.append(a)
        line("flood of 6 MB, most resident memory", peak[0][2], "KiB")
        line("flood of 600 MB, most resident memory", peak[1][2], "KiB", peak[0][2] + 8, guard=peak[0][2] + 64)


def seconds_into_pipe(*program):
    """The time until program has written everything into a pipe whose reader is quick."""
    begin = time.monotonic()
    p = subprocess.Popen(program, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    sink = subprocess.Popen(["cat"], stdin=p.stdout, stdout=subprocess.DEVNULL)
    p.stdout.close()
    assert p.wait() == 0 and sink.wait() == 0
    return time.monotonic() - begin


def bench_stream():
    """Medians, not the best: how fast a run is depends on which of two processors server, program and reader get. The bare
    loop varies most, from 22 to 80 ns a message."""
    rounds = 2 * int(os.environ.get("BENCH_ROUNDS", "7")) + 1
    with Echo() as e:
        for size, count, name in ((64, 10000000, "64 B"), (4096, 500000, "4 KiB")):
            path = "/flood/%d/%d" % (count, size)
            url = e.url + path[1:]
            programs = {
                "recv and write": [tool("stream"), str(e.port), path],
                "--follow -f raw": [tool("wsquery_make"), "--follow", "-f", "raw", url],
                "--follow -f json": [tool("wsquery_make"), "--follow", url],
            }
            if shutil.which("websocat"):
                programs["websocat -u"] = ["websocat", "-u", url]
            times = {what: [] for what in programs}
            for _ in range(rounds):
                for what, program in programs.items():
                    times[what].append(seconds_into_pipe(*program))
            for what, t in times.items():
                line("a stream of %s messages: %s" % (name, what), int(count / statistics.median(t) / 1000), "k/s")
                line("a stream of %s messages: %s, the best" % (name, what), int(count / min(t) / 1000), "k/s")
            bare = statistics.median(times["recv and write"])
            for what, least in (("raw", 0.7), ("json", 0.5)):
                ratio = bare / statistics.median(times["--follow -f " + what])
                line("a stream of %s messages: ratio, %s" % (name, what), ratio, "", least, True)


def most_resident(pid):
    """The memory of a running process, in KiB."""
    with open("/proc/%d/status" % pid) as f:
        return int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1))


def echoed_lines(what, command, size):
    """Sends the lines that command prints, size bytes, to an echo server, and compares the echo with them."""
    with Echo() as e:
        lines = subprocess.Popen(command, shell=True, stdout=subprocess.PIPE)
        begin = time.monotonic()
        p = subprocess.Popen([tool("wsquery_make"), "--lines", "-f", "raw", e.url], stdin=lines.stdout, stdout=subprocess.PIPE)
        lines.stdout.close()
        with subprocess.Popen(command, shell=True, stdout=subprocess.PIPE) as want:
            n = peak = 0
            while n < size:
                got = p.stdout.read(1 << 16)
                assert got == want.stdout.read(len(got) or 1), "what came back differs at byte %d or after it" % n
                n += len(got)
                if not peak and n > size * 0.8:  # the rest does not fit into the pipe, so the process still runs
                    peak = most_resident(p.pid)
        seconds = time.monotonic() - begin
        assert p.stdout.read() == b"" and p.wait() == 0 and lines.wait() == 0
        line("%s: through --lines and an echo server" % what, size / seconds / 1e6, "MB/s")
        return peak


def bench_lines():
    few = echoed_lines("1 MB of yes", "yes | head -c 1000000", 1000000)
    many = echoed_lines("100 MB of yes", "yes | head -c 100M", 100 << 20)
    line("1 MB of yes: most resident memory", few, "KiB")
    line("100 MB of yes: most resident memory", many, "KiB", few + 256)
    words = "yes 'a line of some fifty bytes, as in a log of events' | head -c 100M; echo"
    echoed_lines("100 MB of longer lines", words, (100 << 20) + 1)


def bench_recv():
    r = run(tool("recv"), os.environ.get("BENCH_ROUNDS", "7"), timeout=600)
    assert r.returncode == 0, r.stderr
    v = {x.split()[0]: x.split()[1] for x in r.stdout.splitlines()}
    for name, text in (("64k", "64 KiB"), ("125", "125 B")):
        line("receiving messages of %s: a bare loop" % text, int(v["recv_%s_bare" % name]), "MB/s")
        line("receiving messages of %s: ws_recv" % text, int(v["recv_%s_ours" % name]), "MB/s")
        line("receiving messages of %s: ratio" % text, float(v["recv_%s_ratio" % name]), "", 0.95, True)
        line("receiving messages of %s: ratio, .stream" % text, float(v["recv_%s_stream_ratio" % name]))
    r = run(tool("upload"), os.environ.get("BENCH_UPLOADS", "3"), timeout=600)
    assert r.returncode == 0, r.stderr
    v.update((x.split()[0], x.split()[1]) for x in r.stdout.splitlines())
    line("sending 2 GiB from a pipe: default send buffer", float(v["upload_default"]), "s")
    line("sending 2 GiB from a pipe: 64 KiB", float(v["upload_64k"]), "s")
    line("sending 2 GiB from a pipe: ratio", float(v["upload_ratio"]), "", 1.3)
    line("masking", float(v["mask"]), "GB/s", 15, True)
    line("UTF-8, ASCII", float(v["utf8_ascii"]), "GB/s", 20, True)
    line("UTF-8, accents, CJK and emoji", float(v["utf8_mixed"]), "GB/s", 1.5, True)


def bench_size():
    for name, what, limit in (
        ("wsquery", "static wsquery without TLS", 200),
        ("minimal", "static minimal program", 110),
        ("minimal_direct", "static minimal program without proxies, redirects", 102),
        ("minimal_numeric", "static minimal program without the resolver", 78),
        ("minimal_numeric_direct", "static minimal program without all three", 70),
        ("floor", "the floor", None),
    ):
        line("size, " + what, os.path.getsize(tool(name)) / 1024, "KiB", limit)
    text = rodata = 0
    with open(tool("library.size")) as f:
        for x in f:
            m = re.match(r"(\.\S+)\s+(\d+)\s", x)
            if m and m.group(1).startswith(".text"):
                text += int(m.group(2))
            elif m and m.group(1).startswith(".rodata"):
                rodata += int(m.group(2))
    line("size, library text without TLS and resolver", text / 1024, "KiB")
    line("size, library constants without TLS and resolver", rodata / 1024, "KiB")
    line("size, library text and constants", (text + rodata) / 1024, "KiB", 68)


def bench_idle():
    r = run(tool("idle"), os.environ.get("BENCH_IDLE", "10000"), timeout=600)
    assert r.returncode == 0, r.stderr
    v = {x.split()[0]: x.split()[1] for x in r.stdout.splitlines()}
    n = v["idle_connections"]
    line("%s idle connections, least buffers: each" % n, int(v["idle_small"]), "B", 2048)
    line("%s idle connections, default: each" % n, int(v["idle_default"]), "B", 24576)
    line("idle connection, least buffers, as the system counts", int(v["idle_small_resident"]), "B")
    line("idle connection, default, as the system counts", int(v["idle_default_resident"]), "B")
    line("idle connection, blocks allocated", float(v["idle_default_blocks"]))
    line("idle connections, opening one of them", float(v["idle_default_open"]), "us")


def overrun(what, seconds, *args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE):
    """How long a query ran past its deadline, the best of three."""
    least = 1e9
    for _ in range(3):
        begin = time.monotonic()
        subprocess.run(
            [tool("wsquery"), "-t", str(seconds), *args], stdin=stdin, stdout=stdout, stderr=stderr, timeout=60
        )
        least = min(least, time.monotonic() - begin - seconds)
    line("deadline overrun: " + what, least * 1e3, "ms", 100)


def listener():
    """A server that accepts connections, but says nothing."""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen(8)
    return s


def url_of(s):
    return "ws://127.0.0.1:%d/" % s.getsockname()[1]


@contextlib.contextmanager
def dribbler():
    """The URL of a server that sends a byte every 10 ms."""
    stop = threading.Event()

    def dribble():
        while not stop.is_set():
            try:
                c, _ = s.accept()
                for b in b"HTTP/1.1 101 Switching Protocols\r\n" * 10:
                    c.send(bytes([b]))
                    if stop.wait(0.01):
                        break
                c.close()
            except OSError:
                pass

    with listener() as s:
        t = threading.Thread(target=dribble, daemon=True)
        t.start()
        yield url_of(s)
        stop.set()
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        t.join(5)


@contextlib.contextmanager
def slow_reader():
    """A pipe whose reader takes a page every 20 ms."""
    r, w = os.pipe()
    pause = [0.02]

    def read():
        while os.read(r, 4096):
            time.sleep(pause[0])

    t = threading.Thread(target=read, daemon=True)
    t.start()
    yield w
    pause[0] = 0
    os.close(w)
    t.join(5)
    os.close(r)


@contextlib.contextmanager
def unread_pipe():
    r, w = os.pipe()
    yield r, w
    os.close(r)
    os.close(w)


@contextlib.contextmanager
def unread_terminal():
    master, slave = pty.openpty()
    tty.setraw(slave)
    yield slave
    os.close(slave)
    os.close(master)


def bench_deadlines():
    with listener() as s:
        overrun("a server silent in the upgrade", 0.3, url_of(s))
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fill = [socket.socket() for _ in range(8)]
        for f in fill:
            f.setblocking(False)
            f.connect_ex(full.getsockname())
        overrun("a SYN that vanishes", 0.3, url_of(full))
        for f in fill:
            f.close()
    with dribbler() as url:
        overrun("a head of a byte each 10 ms", 0.3, url)
    with Echo() as e:
        large, frames = e.url + "flood/1/500000", e.url + "flood/0/0"
        overrun("a server silent after it", 0.3, e.url)
        overrun("a flood and a costly pattern", 0.3, "-e", "(a|x|ax)*x{0,100}z", e.url + "flood/0/60000")
        with unread_pipe() as (_, w):
            overrun("a pipe that nobody reads", 0.3, large, stdout=w)
        with unread_terminal() as t:
            overrun("a terminal that nobody reads", 0.3, large, stdout=t)
        with slow_reader() as w:
            overrun("a slow reader of the answer", 0.3, large, stdout=w)
        with slow_reader() as w:
            overrun("a slow reader of -v", 0.3, "-v", "-n", "100000", frames, stderr=w)
        with unread_terminal() as t:
            overrun("a terminal that nobody reads, for -v", 0.3, "-v", "-n", "100000", frames, stderr=t)
    with unread_pipe() as (r, _):
        overrun("standard input that never ends", 0.3, "-d", "@-", "ws://127.0.0.1:1/", stdin=r)
    with listener() as s:
        file = tool("large")
        with open(file, "w") as f:
            f.write("X-Header: value\r\n" * (60 * 65536))
        overrun("a file of 60 MiB to send", 0.1, "-d", "@" + file, url_of(s))
        overrun("a file of 60 MiB of headers", 0.1, "-H", "@" + file, url_of(s))
        os.unlink(file)


def bench_tls():
    if not os.path.exists(tool("wsquery_tls")):
        skip("wss", "built without TLS")
        return
    certs, bundle = tool("certs"), tool("bundle.pem")
    if not os.path.exists(os.path.join(certs, "good.pem")):
        r = run("sh", "test/tls/make-certs", certs)
        assert r.returncode == 0, r.stderr
    ca = os.path.join(certs, "ca.pem")
    with Echo() as e:
        front = subprocess.Popen(
            [sys.executable, "test/tls_front.py", *(os.path.join(certs, "good." + x) for x in ("pem", "key")), str(e.port)],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            port = front.stdout.readline().strip()
            url = "wss://127.0.0.1:%s/" % port
            others = {}
            if shutil.which("openssl"):
                others["openssl s_client, the handshake alone"] = [
                    shutil.which("openssl"), "s_client", "-brief", "-CAfile", ca, "-connect", "127.0.0.1:" + port,
                ]  # fmt: skip
            if shutil.which("curl"):
                others["curl, one answer"] = [shutil.which("curl"), "-s", "--cacert", ca, "https://127.0.0.1:%s/" % port]
            query = [tool("wsquery_tls"), "--cacert", ca, "-d", "Hello", url]
            t = times(max(RUNS // 20, 10), query, *others.values())
            line("wss query, least wall time: wsquery", t[0][0], "us")
            for (name, _), (least, _) in zip(others.items(), t[1:]):
                line("wss, least wall time: " + name, least, "us")
            system = "/etc/ssl/certs/ca-certificates.crt"
            if not os.path.exists(system):
                skip("wss, memory with the system's bundle", "no " + system)
                return
            with open(bundle, "w") as out, open(system) as a, open(ca) as b:
                out.write(a.read() + b.read())
            for name, trust in (("one certificate", ca), ("the system's bundle", bundle)):
                anonymous, resident, most = memory(tool("wsquery_tls"), "--cacert", trust, "-d", "Hello", url)
                line("wss query, trusting %s: anonymous at exit" % name, anonymous, "KiB")
                line("wss query, trusting %s: most resident" % name, most, "KiB")
            t = times(max(RUNS // 20, 10), query, [tool("wsquery_tls"), "--cacert", bundle, "-d", "Hello", url])
            line("wss query, the system's bundle / one certificate (least)", t[1][0] / t[0][0])
        finally:
            front.kill()
            front.wait()
            front.stdout.close()


class ManyServer(Served):
    """bench/many serve: upgrades nobody until this many clients are connected."""

    def __init__(self, together):
        super().__init__(tool("many"), "serve", str(together))
        self.port = self.said

    def urls(self, n):
        return "".join("ws://127.0.0.1:%s/%d\n" % (self.port, i) for i in range(n))


def ask_many(jobs, urls):
    """The command that asks them, and its standard input."""
    return [tool("wsquery"), "-t", "60", "-d", "Hello", "--jobs", str(jobs), "--from", "-"], urls


def seconds_of(command, text=""):
    begin = time.monotonic()
    r = subprocess.run(command, input=text, text=True, stdout=subprocess.DEVNULL)
    assert r.returncode == 0, command
    return time.monotonic() - begin


def bench_many():
    rounds = int(os.environ.get("BENCH_ROUNDS", "7"))
    n = 1000
    with ManyServer(1) as s:
        for jobs in (64, 1000):
            alone = min(seconds_of([tool("many"), "ask", s.port, str(n), str(jobs)]) for _ in range(rounds))
            ours = min(seconds_of(*ask_many(jobs, s.urls(n))) for _ in range(rounds))
            line("%d URLs, %d at a time: the library alone" % (n, jobs), alone * 1e3, "ms")
            line("%d URLs, %d at a time: wsquery" % (n, jobs), ours * 1e3, "ms")
            line("%d URLs, %d at a time: ratio" % (n, jobs), ours / alone, "", 3)
    most = []
    for jobs in (1, n):
        with ManyServer(jobs) as s:
            with open(tool("urls"), "w") as f:
                f.write(s.urls(jobs))
            most.append(memory(tool("wsquery"), "-q", "-d", "Hello", "--jobs", jobs, "--from", tool("urls"))[2])
    line("%d URLs at once: most resident memory for each" % n, (most[1] - most[0]) / (n - 1), "KiB", 6)


PARTS = ("size", "time", "calls", "memory", "flood", "recv", "stream", "lines", "many", "idle", "deadlines", "tls")
for part in sys.argv[2:] or PARTS:
    globals()["bench_" + part]()
if missed:
    print("goals not reached: %d" % missed)
print("%d passed, %d failed" % (good, bad) + (", %d skipped" % skipped if skipped else ""))
sys.exit(bad != 0)
