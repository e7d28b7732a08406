#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Mutation test of the library: makes one small fault at a time and reports which faults no unit test notices.

usage: test/mutate.py [--sample N] [--seed N] [--seconds N] [--jobs N] FILE.c...

The library is a shared object here, and each unit test is built once. For each mutant the changed file is compiled, a
library with it is linked, and the tests in TESTS run with that; where they all pass, once more under AddressSanitizer and
UndefinedBehaviorSanitizer. A mutant is killed when a test fails, crashes or takes far too long. A change that compiles to
the original object code is not counted. Each survivor is printed as FILE:LINE: old line => new line, followed by [2] if it
is the second line that reads so; then each file's kill rate. test/mutants.txt lists known mutants that change no
behaviour, with the reason. The exit status is 1 if it names a mutant that is none.

A survivor asks for a case in the nearest table of test/test_*.c.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).absolute().parent.parent
KNOWN = ROOT / "test" / "mutants.txt"

# The unit tests of each file, the quickest first; those that killed mutants of the file move to the front
OPENING = ["test_ws_open", "test_ws_upgrade", "test_hops"]
TALKING = ["test_ws_query", "test_ws_keepalive", "test_ws_close", "test_ws_open", "test_ws_cancel", "test_ws_send",
           "test_ws_upgrade", "test_hops", "test_ws_attack", "test_ws_world", "test_ws_recv", "test_ws_buffer",
           "test_ws_fail"]  # fmt: skip
NETWORK = ["test_ws_query", "test_ws_open", "test_sys", "test_resolve", "test_ws_watch", "test_ws_cancel", "test_net"]
TLS = ["test_tls_config", "test_tls_trust", "test_tls_verdict", "test_tls", "test_tls_open"]
TESTS = {
    "text.c": ["test_text", "test_url", "test_request", "test_response", "test_proxy", "test_ws_upgrade", "test_ws_recv", "test_overread"],
    "sha1.c": ["test_sha1", "test_overread"],
    "base64.c": ["test_base64", "test_response", "test_overread"],
    "utf8.c": ["test_utf8", "test_text", "test_overread"],
    "ip.c": ["test_ip", "test_url", "test_proxy", "test_overread"],
    "secret.c": ["test_secret", "test_request", "test_overread"],
    "url.c": ["test_url", "test_proxy", "test_request", *OPENING, "test_overread"],
    "url_show.c": ["test_url", "test_proxy", *OPENING, "test_overread"],
    "frame.c": ["test_frame", "test_ws_close", "test_ws_send", "test_ws_recv", "test_overread"],
    "header.c": ["test_request", "test_refusal", "test_response", *OPENING, "test_overread"],
    "request.c": ["test_request", *OPENING],
    "response.c": ["test_response", *OPENING, "test_overread"],
    "refusal.c": ["test_refusal", "test_proxy", "test_response", *OPENING, "test_overread"],
    "proxy.c": ["test_proxy", *OPENING, "test_overread"],
    "no_proxy.c": ["test_proxy"],
    "sys.c": NETWORK,
    "sys_words.c": NETWORK,
    "resolve.c": NETWORK,
    "net.c": NETWORK,
    "net_none.c": [],  # empty in a build with an operating system
    "copy.c": ["test_copy", "test_request", "test_ws_open", "test_ws_world"],
    "check.c": ["test_request", "test_secret", "test_copy", "test_ws_query", *OPENING, "test_start_tls",
                "test_resolve", "test_net", "test_ws_fail", "test_tls_config"],  # fmt: skip
    "upgrade.c": [*OPENING, "test_ws_query", "test_ws_close", "test_start_tls", "test_ws_attack", "test_ws_world", "test_ws_fail"],
    "open.c": [*OPENING, "test_start_tls", "test_ws_query", "test_ws_watch", "test_ws_world", "test_ws_fail", "test_net",
               "test_sys", "test_resolve", "test_tls_open"],  # fmt: skip
    "keepalive.c": ["test_ws_keepalive", "test_ws_close", "test_ws_world"],
    "buffer.c": [*TALKING],
    "cancel.c": ["test_ws_keepalive", "test_ws_cancel", "test_ws_world"],
    "transport.c": [*TALKING, "test_start_tls", "test_ws_watch", "test_net", "test_tls_open"],
    "conn.c": [*TALKING, "test_start_tls", "test_net", "test_tls_open"],
    "send.c": TALKING,
    "recv.c": TALKING,
    "ws.c": [*TALKING, "test_copy", "test_ws_watch"],
    "trust.c": ["test_trust", "test_tls_trust", "test_tls_config", "test_tls"],
    "der.c": ["test_der", "test_chain", "test_overread", "test_trust", "test_tls_verdict", "test_tls_trust", "test_tls"],
    "chain.c": ["test_chain", "test_overread", "test_tls_verdict", "test_tls_trust", "test_tls"],
    "tls_words.c": ["test_tls_words", "test_chain", *TLS],
    "tls_port.c": ["test_tls_words", *TLS],
    "tls_config.c": ["test_tls_config", "test_tls_words", "test_tls_trust", "test_tls_verdict", "test_tls", "test_tls_open"],
    "tls_trust.c": ["test_trust", *TLS],
    "tls_verdict.c": ["test_tls_verdict", "test_tls_trust", "test_tls", "test_tls_config", "test_tls_open"],
    "tls_wire.c": ["test_tls_wire", "test_tls", "test_tls_open"],
    "tls.c": TLS,
}

# One fault each: a pattern in code (not in comments and strings), and its replacement
FAULTS = [
    (r"(?<![<>=!-])<(?![<=])", "<="),
    (r"<=", "<"),
    (r"(?<![<>=!-])>(?![>=])", ">="),
    (r"(?<!>)>=", ">"),
    (r"==", "!="),
    (r"!=", "=="),
    (r"&&", "||"),
    (r"\|\|", "&&"),
    (r" \+ ", " - "),
    (r" - ", " + "),
    (r"\+\+", "--"),
    (r"<<", ">>"),
    (r">>", "<<"),
    (r" & ", " | "),
    (r" \| ", " & "),
    (r" \+= ", " -= "),
    (r"!(?=[\w(*])", ""),
    (r" [+-] 1\b", ""),
]
NUMBER = re.compile(r"(?<![\w.'\\])(0[xX][0-9a-fA-F]+|\d+)([uUlL]*)(?![\w.'])")
CHARACTER = re.compile(r"'([!-&(-\[\]-~])'")
STATEMENT = re.compile(r"^\t+(?!return\b|goto\b|static\b|const\b|struct\b|unsigned\b|int\b|char\b|size_t\b|uint\w+\b)[*\w(][^;{}]*;\s*(/\*.*)?$")
JUMP = re.compile(r"^\t+(break|continue);")
CONDITION = re.compile(r"\b(if|while) \(")


def masked(text):
    """The text with comments, strings and preprocessor lines blanked, each line as long as before."""

    def blank(m):
        return re.sub(r"[^\n]", " ", m[0])

    def keep_characters(m):
        return m[0] if m[0].startswith("'") else blank(m)

    text = re.sub(r"/\*.*?\*/|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)+'", keep_characters, text, flags=re.S)
    return re.sub(r"(?m)^#(?:.*\\\n)*.*$", blank, text)


def closing(line, at):
    """Where the parenthesis that opens at `at` closes in this line, or -1."""
    depth = 0
    for i in range(at, len(line)):
        depth += {"(": 1, ")": -1}.get(line[i], 0)
        if depth == 0:
            return i
    return -1


def mutants(text):
    """(line number from 0, new line, what names it) for each fault in a source file."""
    lines = text.split("\n")
    found = set()
    depth = 0
    for n, code in enumerate(masked(text).split("\n")):
        line = lines[n]
        inside = depth > 0 or "static const" in code  # declarations outside of functions are no code, tables are
        depth += code.count("{") - code.count("}")
        if not inside or not code.strip():
            continue
        for pattern, new in FAULTS:
            for m in re.finditer(pattern, code):
                found.add((n, line[: m.start()] + new + line[m.end() :]))
        for m in NUMBER.finditer(code):
            for change in (1, -1):
                value = int(m[1], 16 if m[1][:2].lower() == "0x" else 10) + change
                if value >= 0:
                    found.add((n, line[: m.start()] + str(value) + m[2] + line[m.end() :]))
        for m in CHARACTER.finditer(code):
            new = chr(ord(m[1]) + 1)
            if new not in "'\\\x7f":
                found.add((n, line[: m.start()] + "'" + new + "'" + line[m.end() :]))
        for m in CONDITION.finditer(code):
            end = closing(code, m.end() - 1)
            if end > 0:
                found.add((n, line[: m.end()] + "0" + line[end:]))
                if m[1] == "if":
                    found.add((n, line[: m.end()] + "1" + line[end:]))
        if STATEMENT.match(code) or JUMP.match(code):
            indent = len(line) - len(line.lstrip("\t"))
            found.add((n, "\t" * indent + ";"))
    return [(n, new, named(lines, n, new)) for n, new in sorted(found) if new != lines[n]]


def named(lines, n, new):
    """A mutant as test/mutants.txt has it."""
    plain = [re.sub(r"/\*.*", "", line).strip() for line in [*lines[: n + 1], new]]
    nth = plain[:-1].count(plain[n])
    return "%s => %s%s" % (plain[n], plain[-1], " [%d]" % nth if nth > 1 else "")


SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]


class Builder:
    """Compiles the library and its tests once, with these flags, then each mutant in a separate directory."""

    def __init__(self, args, scratch, flags):
        self.scratch = scratch
        self.flags = flags
        # -DWSI=: all functions of the library are visible in the shared object
        self.compiler = args.cc.split() + ["-std=c11", "-O1", "-w", "-pthread", "-fPIC", "-DWSI=", "-I" + str(ROOT)]
        self.compiler += args.cflags.split() + flags
        self.libs = args.libs.split()
        self.sources = args.sources.split()
        self.seconds = {}  # of each test that was built
        self.kills = collections.Counter()  # (file, test)
        self.lock = threading.Lock()
        (scratch / "cli").mkdir(parents=True)

    def works(self):
        """False where the compiler cannot make a program with these flags."""
        (self.scratch / "main.c").write_text("int main(void) { return 0; }\n")
        return self.run(self.compiler + ["-o", str(self.scratch / "main"), str(self.scratch / "main.c")])

    def run(self, command):
        return subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True).returncode == 0

    def compile(self, source, out):
        return self.run(self.compiler + ["-c", "-o", str(out), str(source)])

    def link_library(self, directory, name=None):
        """Makes libunit.so in this directory, with the object of this file from there, too."""
        objects = [str((directory if of == name else self.scratch) / (of + ".o")) for of in self.sources]
        return self.run(self.compiler + ["-shared", "-o", str(directory / "libunit.so")] + objects + self.libs)

    def prepare(self, test):
        """Builds the library and this test, and runs it without any fault, if that was not done before."""
        with self.lock:
            if not self.seconds:
                for name in self.sources:
                    if not self.compile(ROOT / name, self.scratch / (name + ".o")):
                        raise SystemExit("%s does not compile" % name)
                if not self.link_library(self.scratch):
                    raise SystemExit("the library does not link")
            if test in self.seconds:
                return
            link = ["-o", str(self.scratch / test), str(ROOT / "test" / (test + ".c")), "-L" + str(self.scratch), "-lunit"]
            if not self.run(self.compiler + link + self.libs):
                raise SystemExit("%s.c does not compile" % test)
            begin = time.monotonic()
            if not self.passes(test, self.scratch, 60):
                raise SystemExit("%s fails without any fault" % test)
            self.seconds[test] = time.monotonic() - begin

    def passes(self, test, directory, limit):
        """Whether a test passes with the library in this directory, within this many seconds of processor time."""

        def limits():
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
            if not self.flags:  # a sanitizer's shadow is larger than any limit
                resource.setrlimit(resource.RLIMIT_AS, (1 << 32, 1 << 32))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

        environment = dict(os.environ, LD_LIBRARY_PATH=str(directory), TEST_STOP="1")
        if self.flags:  # with sanitizers, all cases would take minutes
            environment["TEST_QUICK"] = "1"
        process = subprocess.Popen([str(self.scratch / test)], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=limits,
                                   start_new_session=True)  # fmt: skip
        try:
            return process.wait(20 + 4 * limit) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # it, or what it left running
            process.wait()

    def judge(self, name, line, new):
        """What becomes of a mutant: "killed", "survived", or "none" when it is not a different program."""
        for test in TESTS[name][:1]:
            self.prepare(test)
        directory = pathlib.Path(tempfile.mkdtemp(dir=self.scratch))
        try:
            lines = (ROOT / name).read_text().split("\n")
            lines[line] = new
            (directory / name).write_text("\n".join(lines))
            changed = directory / (name + ".o")
            if not self.compile(directory / name, changed):
                return "none"
            if changed.read_bytes() == (self.scratch / (name + ".o")).read_bytes():
                return "none"
            if not self.link_library(directory, name):
                return "killed"
            for test in sorted(TESTS[name], key=lambda t: -self.kills[name, t] / self.seconds.get(t, 1)):
                self.prepare(test)
                if not self.passes(test, directory, int(3 * self.seconds[test]) + 2):
                    self.kills[name, test] += 1
                    return "killed"
            return "survived"
        finally:
            shutil.rmtree(directory)


def known():
    """The mutants of test/mutants.txt: {(file, old line => new line)}."""
    found = set()
    for line in KNOWN.read_text().split("\n") if KNOWN.exists() else []:
        if line and not line.startswith("#"):
            name, _, what = line.partition(": ")
            found.add((name, what.strip()))
    return found


def main():
    parser = argparse.ArgumentParser(description="Which small faults in FILE do the unit tests not notice?")
    parser.add_argument("--seconds", type=float, default=600, help="stop after this time")
    parser.add_argument("--sample", type=int, help="only this many mutants of each file, chosen at random")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plain", action="store_true", help="without sanitizers, which takes a third of the time")
    parser.add_argument("--cc", default="cc")
    parser.add_argument("--cflags", default="")
    parser.add_argument("--libs", default="")
    parser.add_argument("--sources", required=True, help="all files of the library, and those of the program that tests use")
    parser.add_argument("files", nargs="+", metavar="FILE")
    args = parser.parse_args()

    end = time.monotonic() + args.seconds
    equivalent, stale = known(), []
    work = []  # the files by turns, so that a short run sees something of each
    for name in args.files:
        of_file = [(name, *m) for m in mutants((ROOT / name).read_text())]
        stale += sorted({row for row in equivalent if row[0] == name} - {(name, m[3]) for m in of_file})
        random.Random(args.seed).shuffle(of_file)
        work += [(i, m) for i, m in enumerate(of_file[: args.sample])]
    work = [m for _, m in sorted(work, key=lambda x: x[0])]
    count = {name: dict.fromkeys(("killed", "survived", "equivalent", "none", "not tried"), 0) for name in args.files}

    with tempfile.TemporaryDirectory(prefix="mutate.") as scratch:
        os.environ.setdefault("TLS_CERTS", scratch + "/certs")  # the first test that needs them makes them
        builders = [Builder(args, pathlib.Path(scratch) / "plain", []), Builder(args, pathlib.Path(scratch) / "sanitized", SANITIZE)]
        if args.plain:
            builders.pop()
        elif not builders[1].works():
            print("without sanitizers, which this compiler does not have")
            builders.pop()

        def one(mutant):
            name, n, new, row = mutant
            if (name, row) in equivalent:
                return mutant, "equivalent"
            what = "not tried"
            for builder in builders:
                if what == "survived" or time.monotonic() < end:
                    what = builder.judge(name, n, new)
                if what != "survived":
                    break
            return mutant, what

        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            for (name, n, _, row), what in pool.map(one, work):
                count[name][what] += 1
                if what == "survived":
                    print("%s:%d: %s" % (name, n + 1, row), flush=True)
    for name, c in count.items():
        tried = c["killed"] + c["survived"]
        rate = "%.1f %%" % (100 * c["killed"] / tried) if tried else "none tried"
        print("%s: %d of %d killed (%s); %d equivalent, %d not tried" % (name, c["killed"], tried, rate, c["equivalent"], c["not tried"]))
    for row in stale:
        print("test/mutants.txt: no such mutant: %s: %s" % row)
    return bool(stale)


if __name__ == "__main__":
    sys.exit(main())
