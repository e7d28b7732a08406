# SPDX-License-Identifier: ISC
"""What other WebSocket clients do where wsquery is used: a Markdown table for README.md, with versions and the date.

usage: python3 bench/peers.py DIRECTORY WSQUERY SPAWN
DIRECTORY may have wscat (node_modules), websockets (venv) and websocat or wsstat (bin); the PATH is searched, too. A tool
that is not here is named under the table. Each tool gets "hello" on standard input, and six seconds later its end (but for
wscat, which would take that as the wish to go).
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

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "test", "cli"))
import servers  # noqa: E402

LIMIT = 60  # seconds; longer than the 30 s and 50 s after which peers give up a silent server
STDIN_OPEN = 6


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


# name, script (None: nobody listens), what an output that names the cause has in it
CASES = [
    ("connection refused", None, r"refused|Errno 111"),
    ("upgrade answered with 401", refuses, r"401"),
    ("TCP accepted, no answer", mute, r"timed? ?out|timeout|within|deadline"),
    ("opened, then silent", opens, r"timed? ?out|timeout|within|deadline"),
    ("closed with 1011", closes, r"1011"),
    ("echo", servers.echo, r"hello"),
]


class Tool:
    def __init__(self, name, version, argv, size, keep_stdin=False):
        self.name, self.version, self.argv, self.size, self.keep_stdin = name, version, argv, size, keep_stdin


def said(*argv):
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60).stdout.strip()


def tree_size(path):
    """Bytes of a file, or of all files below a directory but compiled Python."""
    if os.path.isfile(path):
        return os.path.getsize(path)
    files = [os.path.join(d, f) for d, _, names in os.walk(path) for f in names if not f.endswith(".pyc")]
    return sum(os.path.getsize(f) for f in files if not os.path.islink(f))


def found(directory, name):
    return shutil.which(name, path=os.path.join(directory, "bin") + os.pathsep + os.environ["PATH"])


def tools(directory, wsquery):
    """The tools that are here, and a sentence for each that is not."""
    number = r"\d+\.\d+[\w.]*"
    text = said(wsquery, "--version")
    name = "wsquery" if "mbedTLS" in text else "wsquery, built without TLS,"
    here = [Tool(name, re.search(number, text)[0], [wsquery, "-d", "hello"], tree_size(wsquery))]
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
        where = os.path.dirname(said(python, "-c", "import websockets; print(websockets.__file__)"))
        here.append(Tool("python3 -m websockets", re.search(number, text)[0], [python, "-m", "websockets"], tree_size(where)))
    wscat = os.path.join(directory, "node_modules", "wscat", "bin", "wscat")
    if os.path.exists(wscat) and shutil.which("node"):
        argv = [shutil.which("node"), wscat, "-x", "hello", "-w", "2", "-c"]
        size = tree_size(os.path.join(directory, "node_modules"))
        here.append(Tool("wscat", said(*argv[:2], "--version"), argv, size, keep_stdin=True))
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


def resident(tool, spawn):
    """The most that one question and its answer held, in KiB."""
    with servers.Server(servers.echo) as s:
        p = start([spawn, "memory"] + tool.argv + [s.url], tool)
        out = p.stdout.read()
        p.wait(60)
        return int(out.split()[-1])


def row(cells):
    print("| " + " | ".join(cells) + " |")


def main():
    directory, wsquery, spawn = (os.path.abspath(a) for a in sys.argv[1:])
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
    row(["size of the program or its package"] + ["%d KiB" % (t.size // 1024) for t in here])
    row(["most memory of one question"] + ["%d KiB" % resident(t, spawn) for t in here])
    if absent:
        print("\nNot compared: %s." % "; ".join(absent))


if __name__ == "__main__":
    main()
