#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Coverage of the library by its unit tests, and by the tests of the program that need a server with TLS: builds them with
gcc's --coverage, runs them, and prints for each file which part of its lines and branches ran.

usage: test/coverage.py [-v] [MAKE_ARGUMENT]...

-v also names each line and each branch that did not run. It needs gcovr (Debian: gcovr). Lines of assembly that belong to
no line of C are left out, as gcovr does. test/uncovered.txt names code that no test can reach, with the reason; such code
is not counted if it did not run. The exit status is 1 if fewer than LINES percent of the lines or BRANCHES percent of
the branches ran, or if a row of that file matches no line.
"""

import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).absolute().parent.parent
BUILD = ROOT / "build" / "coverage"
EXCUSED = ROOT / "test" / "uncovered.txt"
# Percent that must have run. A line that no test can reach has a row in uncovered.txt
LINES = 100.0
BRANCHES = 95.0


def excuses():
    """(file, text of the line) of each row "file.c | text | reason". The text may be that of two lines, "one -> next" """
    found = set()
    for row in EXCUSED.read_text().splitlines():
        if row and not row.startswith("#"):
            name, text, reason = (part.strip() for part in row.split(" | "))
            assert reason
            found.add((name, text))
    return found


def measure(arguments):
    """Makes a separate build and returns gcovr's report on it."""
    for old in BUILD.glob("**/*.gcda"):
        old.unlink()
    tests = " ".join(f"test/{path.stem}" for path in sorted((ROOT / "test").glob("test_*.c")))
    build = ["sh", "test/variant.sh", "coverage", "CC=gcc", "CFLAGS=-O0 -g --coverage", f"TESTS={tests}", *arguments, "all", "unit"]
    run = subprocess.run(build, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    if run.returncode:
        sys.exit(f"{run.stdout[-3000:]}\nthe unit tests fail")
    programs()
    report = subprocess.run(
        ["gcovr", "--json", "-r", ".", "--exclude-unreachable-branches", "--exclude-directories", "cli|test", "."],
        cwd=BUILD, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)  # fmt: skip
    return json.loads(report.stdout)


def programs():
    """The tests of the program over TLS: no unit test has a server that speaks it"""
    tests = sorted(str(path) for path in (ROOT / "test/cli").glob("test_tls*.py"))
    parallel = ["-n", os.environ.get("TEST_JOBS", "4")] if importlib.util.find_spec("xdist") else []
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *parallel, *tests, "test/cli/test_way.py"],
        cwd=ROOT, env=dict(os.environ, WSQUERY=str(BUILD / "wsquery")),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False)  # fmt: skip
    if run.returncode:
        sys.exit(f"{run.stdout[-3000:]}\nthe tests of the program over TLS fail")


def library():
    names = subprocess.run(["sh", "make-dist.sh", "-L"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    return {f"{name}.c" for name in names.split()}


def main():
    arguments = sys.argv[1:]
    verbose = "-v" in arguments
    if not shutil.which("gcovr"):
        print("gcovr is not installed")
        return 77
    report = measure([a for a in arguments if a != "-v"])
    excused, used, missed = excuses(), set(), []
    total = {"lines": [0, 0], "branches": [0, 0]}
    print(f"{'file':16} {'lines':>12} {'branches':>14}")
    for entry in sorted(report["files"], key=lambda f: f["file"]):
        name = entry["file"]
        if name not in library():
            continue
        source = (ROOT / name).read_text().splitlines()
        lines, branches = [0, 0], [0, 0]
        for line in entry["lines"]:
            before, text = (source[n].strip() for n in (line["line_number"] - 2, line["line_number"] - 1))
            rows = {(name, text), (name, f"{before} -> {text}")} & excused
            used |= rows
            ran = line["count"] > 0
            if line.get("gcovr/noncode") or (rows and not ran):
                continue
            taken = [b["count"] > 0 for b in line["branches"]]
            lines[0] += ran
            lines[1] += 1
            branches[0] += sum(taken)
            branches[1] += len(taken)
            if not ran:
                missed.append(f"{name}:{line['line_number']}: did not run: {text}")
            elif verbose and not all(taken):
                missed.append(f"{name}:{line['line_number']}: {taken.count(False)} of {len(taken)} branches: {text}")
        print(f"{name:16} {lines[0]:5} / {lines[1]:4} {branches[0]:6} / {branches[1]:4}")
        for kind, counted in (("lines", lines), ("branches", branches)):
            total[kind] = [a + b for a, b in zip(total[kind], counted)]
    print("\n".join(missed))
    for name, text in excused - used:
        print(f"test/uncovered.txt: no such line: {name} | {text}")
    percent = {kind: 100.0 * ran / count for kind, (ran, count) in total.items()}
    print(f"lines {percent['lines']:.2f} % of {total['lines'][1]}, branches {percent['branches']:.2f} % of {total['branches'][1]}")
    return percent["lines"] < LINES or percent["branches"] < BRANCHES or bool(excused - used)


if __name__ == "__main__":
    sys.exit(main())
