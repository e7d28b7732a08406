# SPDX-License-Identifier: ISC
"""run() runs the program, and checks its line of JSON against the schema, its status and its time."""

import base64
import collections
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import threading
import time

import jsonschema
import pytest

ROOT = pathlib.Path(__file__).absolute().parent.parent.parent
WSQUERY = os.environ.get("WSQUERY") or str(ROOT / "wsquery")
SLACK = 10  # seconds that a slow machine may take on top of any deadline
SCHEMA = json.loads((ROOT / "result.schema.json").read_text())
SANITIZED = re.search(b"__(asan|tsan|msan)_init|__ubsan_handle", pathlib.Path(WSQUERY).read_bytes())
VALIDATOR = jsonschema.validators.validator_for(SCHEMA)(SCHEMA)


def pytest_collection_modifyitems(config, items):
    """With TEST_QUICK, runs every third case of a test that has more than three. make test runs all."""
    if not os.environ.get("TEST_QUICK"):
        return
    cases = collections.defaultdict(list)
    for item in items:
        cases[item.nodeid.split("[")[0]].append(item)
    left_out = {item for some in cases.values() if len(some) > 3 for i, item in enumerate(some) if i % 3}
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(terminalreporter):
    """For test/run.sh: passed, failed, skipped."""
    path = os.environ.get("TEST_COUNTS")
    if path:
        n = {k: len(terminalreporter.stats.get(k, [])) for k in ("passed", "failed", "error", "skipped")}
        with open(path, "w") as f:
            f.write("%d %d %d\n" % (n["passed"], n["failed"] + n["error"], n["skipped"]))


def environment(env=None):
    """The program's environment, without our variables that it would read."""
    keep = ("PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "LD_LIBRARY_PATH", "QEMU_LD_PREFIX")
    e = {k: v for k, v in os.environ.items() if k in keep}
    e["LC_ALL"] = "C"
    e.update(env or {})
    return e


def no_duplicates(pairs):
    d = dict(pairs)
    assert len(d) == len(pairs), "a name occurs twice in the object"
    return d


def parse(out):
    """The object on a stdout that must be exactly one line of JSON."""
    assert out.endswith(b"\n") and out.count(b"\n") == 1, out
    text = out.decode("utf-8")  # strict: overlong forms and surrogates are errors

    def constant(name):
        raise AssertionError(name + " is no JSON")

    obj = json.loads(text, object_pairs_hook=no_duplicates, parse_constant=constant)
    check(obj)
    return obj


def check(obj):
    """Checks what must be true for every result."""
    VALIDATOR.validate(obj)
    text = json.dumps(obj)
    assert "error" not in obj or obj["error"].strip(), text
    text.encode("utf-8")
    if "details" in obj:
        d = obj["details"]
        assert (d["reason"] == "ok") == ("error" not in obj), text
        assert "error" in obj or d["phase"] == "done", text


class Result:
    def __init__(self, status, out, err, seconds):
        self.status = status
        self.out = out
        self.err = err.decode("utf-8", "replace")
        self.seconds = seconds
        self.json = None

    def __repr__(self):
        return "status %d after %.3f s\nstdout: %r\nstderr: %s" % (self.status, self.seconds, self.out, self.err)

    # shorthands
    @property
    def data(self):
        return self.json["data"]

    @property
    def error(self):
        return self.json["error"]

    @property
    def details(self):
        return self.json["details"]


def run(*args, stdin=None, env=None, status=None, within=None, at_least=None, secrets=(), json=True, cwd=None, into_file=False):
    """Runs wsquery with args.

    stdin: bytes. status: what it must exit with. within: seconds it may take (and a slow machine SLACK more); at_least:
    seconds it must take. secrets: strings that may appear in no output. json: False where stdout is no JSON (another
    format, -q, help); a wrong command line (64) never prints any. into_file: stdout is a file. A large answer at the
    deadline needs that, because this process may read a pipe too late.
    """
    args = [a if isinstance(a, bytes) else str(a) for a in args]
    begin = time.monotonic()
    with tempfile.TemporaryFile() if into_file else contextlib.nullcontext(subprocess.PIPE) as stdout:
        p = subprocess.run(
            [WSQUERY] + args,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env=environment(env),
            timeout=120,
            cwd=cwd,
        )
        seconds = time.monotonic() - begin
        if into_file:
            stdout.seek(0)
        out = stdout.read() if into_file else p.stdout
    return judge(Result(p.returncode, out, p.stderr, seconds), args, status, within, at_least, secrets, json)


def judge(r, args=(), status=None, within=None, at_least=None, secrets=(), json=True):
    print("wsquery", *args)
    print(r)
    assert r.status >= 0, "killed by " + signal.Signals(-r.status).name
    assert "ERROR: AddressSanitizer" not in r.err and "runtime error:" not in r.err and "LeakSanitizer" not in r.err, r.err
    for s in secrets:
        for form in (s, base64.b64encode(s.encode()).decode()):
            assert form.encode() not in r.out and form not in r.err, "the secret " + s + " was shown"
    if r.status == 64 and json:
        assert r.out == b"", "a wrong command line prints nothing on stdout"
        assert r.err.strip(), "a wrong command line has an error on stderr"
    elif json:
        r.json = parse(r.out)
        if r.status == 0:
            assert "error" not in r.json and r.json["connection"]
        elif r.status == 1:
            assert "error" in r.json and not r.json["connection"]
        elif r.status == 3:
            assert "error" in r.json and r.json["connection"]
    if status is not None:
        assert r.status == status
    if within is not None:
        assert r.seconds < within + SLACK
    if at_least is not None:
        assert r.seconds >= at_least
    return r


class Running:
    """wsquery while it runs, for signals and for what it must print early."""

    def __init__(self, *args, env=None, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE):
        self.args = [str(a) for a in args]
        self.begin = time.monotonic()
        self.p = subprocess.Popen(
            [WSQUERY] + self.args, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, env=environment(env)
        )

    def signal(self, n):
        self.p.send_signal(n)

    @contextlib.contextmanager
    def killed_after(self, seconds):
        """Ends the process, so that reading its output ends, too."""
        timer = threading.Timer(seconds, self.p.kill)
        timer.start()
        yield
        timer.cancel()

    def end(self, **kw):
        out, err = self.p.communicate(timeout=120)
        return judge(Result(self.p.returncode, out, err, time.monotonic() - self.begin), self.args, **kw)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        if self.p.poll() is None:
            self.p.kill()
        if self.p.stdin and self.p.stdin.closed:
            self.p.stdin = None  # communicate() would write to it
        self.p.communicate()


def built_in():
    """The parts that --version says are built in: "tls", "resolver", "threads", "proxies", "redirects", "formats" ..."""
    try:
        p = subprocess.run([WSQUERY, "--version"], capture_output=True, env=environment(), timeout=60)
    except OSError:
        return ""
    return p.stdout.decode().lower()


BUILT_IN = built_in()


def needs(part):
    return pytest.mark.skipif(part not in BUILT_IN, reason="%s: not in this build" % part)
