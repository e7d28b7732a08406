# SPDX-License-Identifier: ISC
"""Every system call and every allocation fails once, in whole queries and followed streams, plain and over TLS.

Run by `make faults`, which links test/faults/faults.c into the program and into test/faults/client.c, with sanitizers.
For every n the n-th call fails. One that is short, interrupted or not ready must not change the result at all. After
another error the result may be a failure, but it must be complete: valid JSON, a status that agrees with it, no leak, and no
descriptor that the library leaves open.
"""

import json
import os
import subprocess

import pytest
from conftest import check, environment
from pki import pki  # noqa: F401
from servers import Server, echo

PROGRAM, CLIENT = os.environ.get("FAULTY_WSQUERY"), os.environ.get("FAULTY_CLIENT")
LIMIT = 60  # seconds: none of the runs may hang
STATUSES = (0, 1, 3, 64, 74)
HARMLESS = ("short", "eintr", "eagain")

pytestmark = pytest.mark.skipif(not PROGRAM, reason="run it by `make faults`")


def play(command, log, kind=None, at=0, stdin=b"", **variables):
    """Runs a command whose n-th call that can fail in this way fails. Returns the process, and which call it was."""
    log.unlink(missing_ok=True)
    faults = {"FAULT_AT": str(at), "FAULT_KIND": kind, "FAULT_LOG": str(log)} if kind else {"FAULT_LOG": str(log)}
    env = environment({"ASAN_OPTIONS": "detect_leaks=1:exitcode=99:allocator_may_return_null=1", **variables, **faults})
    p = subprocess.run([str(c) for c in command], input=stdin, capture_output=True, env=env, timeout=LIMIT)
    return p, log.read_text().strip()


def objects(out):
    found = [json.loads(line) for line in out.decode().splitlines()]
    for obj in found:
        check(obj)
    return found


def judge_program(p, name):
    """Checks a result after an error: it is complete and agrees with the status."""
    assert p.returncode in STATUSES, p
    assert b"Sanitizer" not in p.stderr and b"runtime error" not in p.stderr, p.stderr
    if p.returncode == 64:
        assert p.stderr.strip(), p
        return
    if name == "write":  # the answer itself could not be written
        assert p.returncode in STATUSES, p
        return
    found = objects(p.stdout)
    assert found, p
    assert ("error" in found[-1]) == (p.returncode != 0), p


def every_call(command, log, kind, judge, stdin=b"", same=lambda p: p.stdout):
    """Runs the command once for each of its calls that can fail in this way."""
    good, _ = play(command, log, stdin=stdin)
    assert good.returncode == 0, good
    at = 0
    while True:
        at += 1
        p, name = play(command, log, kind, at, stdin)
        if name == "-":
            break
        print(kind, "of call", at, name, p)
        if kind in HARMLESS:
            assert (p.returncode, same(p)) == (0, same(good)), p
        else:
            judge(p, name)
    assert at > 1, "no call failed"


KINDS = ("error",) + HARMLESS


@pytest.fixture
def server(request, pki):
    tls = request.param == "wss"
    with pki.server(echo) if tls else Server(echo) as s:
        yield ("wss://localhost:%d/" if tls else "ws://127.0.0.1:%d/") % s.port


both = pytest.mark.parametrize("server", ["ws", "wss"], indirect=True)
CASES = {
    "query": (["-d", "hello", "-t", "5"], b""),
    "standard input": (["-d", "@-", "-e", "hel+o", "-t", "5"], b"hello"),
    "follow": (["--follow", "-d", "hello", "--until", "hello", "-m", "5"], b""),
    "lines": (["--lines", "-m", "5"], b"one\ntwo\n"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES)
@both
def test_program(server, pki, tmp_path, case, kind):
    options, stdin = CASES[case]
    trust = ["--cacert", pki("ca.pem")] if server.startswith("wss") else []
    every_call([PROGRAM, *options, *trust, server], tmp_path / "log", kind, judge_program, stdin)


def judge_client(p, name):
    assert p.returncode == 0, p
    assert b"Sanitizer" not in p.stderr and b"runtime error" not in p.stderr, p.stderr
    assert len(p.stdout.split(b" ", 1)) == 2 and p.stdout.strip(), p


@pytest.mark.parametrize("kind", KINDS)
@both
def test_library(server, pki, tmp_path, kind):
    every_call([CLIENT, server, pki("ca.pem")], tmp_path / "log", kind, judge_client)
