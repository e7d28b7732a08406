# SPDX-License-Identifier: ISC
"""style.py [-t] [FILE.c]...: checks the parts of the house style that a program can check. Without FILE it
checks all sources in git except tests, examples and the bench.

It fails on a conditional expression within another one, on an include cycle between headers, and on source files that call
each other in a circle. -t prints a table: the lines of each file, its longest function, its functions of more
than 60 lines, its conditional expressions for 100 lines of code.
Last line: N passed, N failed
"""

import os
import re
import subprocess
import sys

LONG = 60


def blank(match):
    return re.sub(r"[^\n]", " ", match.group(0))


def plain(text):
    """The code without comments, strings, characters and preprocessor lines; lines and columns stay."""
    text = re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", blank, text, flags=re.M)


def functions(code):
    """(name, first line, lines) of each; in this house they begin and end in the first column."""
    lines = code.split("\n")
    start = None
    for i, line in enumerate(lines):
        if line == "{":
            start = i
        elif line == "}" and start is not None:
            head = start - 1
            while head > 0 and lines[head - 1].strip() and not lines[head - 1].endswith(("}", ";")):
                head -= 1
            name = re.search(r"(\w+)\s*\(", " ".join(lines[head:start]))
            yield (name.group(1) if name else "?", head + 1, i - head + 1)
            start = None


def nested(code):
    """Line numbers of conditional expressions that hold another one."""
    for m in re.finditer(r"[^;{}]*\?[^;{}]*", code):
        statement = m.group(0)
        depth, open_at = 0, []
        for i, c in enumerate(statement):
            if c in "([":
                depth += 1
            elif c in ")]":
                depth -= 1
                open_at = [(d, n) for d, n in open_at if d <= depth]
            elif c == ",":
                open_at = [(d, n) for d, n in open_at if d < depth]
            elif c == "?":
                if open_at:
                    yield code.count("\n", 0, m.start() + i) + 1
                open_at.append((depth, i))


def cycles(edges):
    """Strongly connected groups of more than one node, by reachability: the graphs are small."""
    reach = {n: set(t) for n, t in edges.items()}
    for _ in edges:
        for n in reach:
            reach[n] |= set().union(*(reach.get(t, set()) for t in reach[n]), set())
    groups = {frozenset(m for m in reach[n] if n in reach.get(m, ())) for n in reach if n in reach[n]}
    return [sorted(g) for g in groups if len(g) > 1]


def calls(files, text):
    """Which file uses a function that another one defines, by name."""
    home = {}
    files = [f for f in files if not f.endswith("_none.c")]  # replaces others, so its names are theirs
    for f in files:
        for name, line, _ in functions(plain(text[f])):
            head = text[f].split("\n")[line - 1 : line + 1]
            if not any(h.startswith("static") for h in head):
                home.setdefault(name, f)
    edges = {}
    for f in files:
        used = set(re.findall(r"\b(\w+)\b", re.sub(r"\bstruct \w+", "", plain(text[f]))))
        edges[f] = {home[n] for n in used if n in home and home[n] != f}
    return edges


def main():
    args = sys.argv[1:]
    table = "-t" in args
    files = [a for a in args if a != "-t"]
    if not files:
        out = subprocess.run(["git", "ls-files", "*.c"], capture_output=True, text=True, check=True).stdout
        files = [f for f in out.split() if not f.startswith(("test/", "examples/", "bench/")) and os.path.exists(f)]
    text = {f: open(f, encoding="utf-8").read() for f in files}
    passed = failed = 0

    def check(what, wrong):
        nonlocal passed, failed
        passed += not wrong
        failed += bool(wrong)
        for w in wrong:
            print("%s: %s" % (what, w))

    for f in files:
        code = plain(text[f])
        check("a conditional expression within another", ["%s:%d" % (f, n) for n in nested(code)])
        if table:
            found = sorted(functions(code), key=lambda x: -x[2])
            longest = "%s %d" % (found[0][0], found[0][2]) if found else "-"
            over = sum(n > LONG for _, _, n in found)
            lines = text[f].count("\n")
            print(
                "%-22s %5d lines  longest %-32s %2d over %d  %2d nested ?:  %.1f ?: for 100 lines"
                % (f, lines, longest, over, LONG, len(list(nested(code))), 100 * code.count("?") / max(lines, 1))
            )
    headers = sorted({h for d in ("", "cli") for h in os.listdir(d or ".") if h.endswith(".h")} & set(os.listdir("."))
                     | {"cli/" + h for h in os.listdir("cli") if h.endswith(".h")})
    includes = {h: set(re.findall(r'^#include "(.*?)"', open(h, encoding="utf-8").read(), re.M)) for h in headers}
    check("headers include each other", [" ".join(c) for c in cycles(includes)])
    check("files call each other in a circle", [" ".join(c) for c in cycles(calls(files, text))])
    print("%d passed, %d failed" % (passed, failed))
    return failed > 0


sys.exit(main())
