# SPDX-License-Identifier: ISC
"""What monitors use: thresholds and performance data, labels, and a file that is replaced at once."""

import re
import time

import pytest
from conftest import needs, run
from servers import Server, echo

URL = "ws://127.0.0.1:1/"


def slow(seconds):
    """Answers after some time."""

    def script(c):
        c.upgrade()
        time.sleep(seconds)
        c.text("late")
        c.finish()

    return script


def nagios(s, *args, **kw):
    return run("-f", "nagios", *args, s.url, json=False, **kw).out.decode()


@needs("nagios")
def test_six_decimals():
    with Server(echo) as s:
        assert re.search(r"\| time=\d+\.\d{6}s;;;0;10\n$", nagios(s, "-d", "x", status=0))


# Options, the status of an answer that takes 0.3 to 5 seconds, and the thresholds that are shown
RANGES = [
    (["-w", "60"], 0, "60.000;;"),
    (["-w", "0.1"], 1, "0.100;;"),
    (["-w", "100ms", "-c", "60"], 1, "0.100;60.000;"),
    (["-w", "0.1", "-c", "0.2"], 2, "0.100;0.200;"),
    (["-w", "~:0.1"], 1, "0.100;;"),
    (["-w", "60:"], 1, "60.000:;;"),
    (["-w", "0.1:"], 0, "0.100:;;"),
    (["-w", "0.1:60"], 0, "0.100:60.000;;"),
    (["-w", "20:60"], 1, "20.000:60.000;;"),
    (["-c", "@0.1:60"], 2, ";@0.100:60.000;"),
    (["-c", "@20:60"], 0, ";@20.000:60.000;"),
    (["-w", "@0.1"], 0, "@0.100;;"),
    (["-w", "0:"], 0, "0.000:;;"),
]


@needs("nagios")
@pytest.mark.parametrize("args, status, shown", RANGES)
def test_ranges(args, status, shown):
    with Server(slow(0.3)) as s:
        out = nagios(s, "-t", "50", *args, status=status)
    assert re.search(r"s;" + re.escape(shown) + "0;50\n$", out), out


WRONG = [
    (["-w", "5:1"], "5:1"),
    (["-w", ""], "--warning"),
    (["-w", "@"], "@"),
    (["-w", "1:2:3"], "1:2:3"),
    (["-c", "~1:2"], "~1:2"),
    (["-c", "a:b"], "a:b"),
    (["-w", "5", "-c", "1"], "above"),
    (["-w", "5s", "-c", "~:4s"], "above"),
    (["--label", "x"], "NAME=VALUE"),
    (["--label", "=x"], "NAME=VALUE"),
    (["--label", "1a=x"], "NAME=VALUE"),
    (["--label", "a-b=x"], "NAME=VALUE"),
    (["--label", "__a=x"], "Prometheus"),
    (["--label", "target=x"], "already"),
    (["--label", "phase=x"], "already"),
    (["--label", "a=x", "--label", "a=y"], "already given"),
    (["--label", b"a=\xff"], "UTF-8"),
    (["-o", "/nonexistent/x"], "No such file"),
    (["-o", "/"], "directory"),
    (["-o", "x", "--follow"], "--follow"),
]


@needs("nagios")
@pytest.mark.parametrize("args, needle", WRONG)
def test_wrong(args, needle):
    assert needle in run(*args, URL, status=64).err


@needs("tls")
@pytest.mark.parametrize("value, needle", [("7,14", "order"), ("7,", "14,7"), (",7", "14,7"), ("1,2,3", "14,7"), ("a,1", "14,7")])
def test_wrong_cert_expiry(value, needle):
    assert needle in run("--cert-expiry", value, URL, status=64).err


@needs("prometheus")
def test_labels():
    args = ["--label", "zone=b\u00fcro", "--label", 'quoted=a"b\\c\nd', "--label=empty="]
    with Server(echo) as s:
        out = run("-f", "prometheus", "-d", "x", *args, s.url, status=0, json=False).out.decode()
    want = ',zone="b\u00fcro",quoted="a\\"b\\\\c\\nd",empty=""} '
    samples = [line for line in out.split("\n") if line and not line.startswith("#")]
    assert len(samples) >= 12 and all(want in line for line in samples)
    assert 'phase="connect"' + want in out


@needs("prometheus")
def test_labels_of_several():
    with Server(echo, echo) as s:
        out = run("-f", "prometheus", "-d", "x", "--label", "a=1", s.url, s.url + "b", status=0, json=False).out.decode()
    assert out.count(',a="1"} 1\n') >= 4


def files(path):
    return sorted(p.name for p in path.iterdir())


def test_output(tmp_path):
    old = tmp_path / "answer"
    old.write_text("old")
    with Server(echo, echo) as s:
        r = run("-o", old, "-d", "x", s.url, status=0, json=False)
        assert r.out == b"" and old.read_text() == '{"connection": true, "data": "x"}\n'
        run("--output", "new", "-f", "raw", "-d", "y", s.url, status=0, json=False, cwd=tmp_path)
    assert (tmp_path / "new").read_text() == "y\n" and files(tmp_path) == ["answer", "new"]


def test_output_of_a_failure(tmp_path):
    run("-o", tmp_path / "x", URL, status=1, json=False)
    assert '"connection": false' in (tmp_path / "x").read_text() and files(tmp_path) == ["x"]


def test_output_of_several(tmp_path):
    with Server(echo, echo) as s:
        run("-o", tmp_path / "x", "-d", "a", s.url, s.url, status=0, json=False)
    assert (tmp_path / "x").read_text().count("\n") == 2 and files(tmp_path) == ["x"]


def test_the_old_file_stays(tmp_path):
    old = tmp_path / "x"
    old.write_text("old")
    assert "--bogus" in run("-o", old, "--bogus", URL, status=64).err
    run("-q", "-o", old, URL, status=1, json=False)
    assert old.read_text() == "old" and files(tmp_path) == ["x"]


@needs("prometheus")
@pytest.mark.parametrize("args", [["--bogus"], ["--cacert", "/nonexistent"], ["--label", "1=2", "--label", "a=b"]])
def test_output_of_a_wrong_command_line(tmp_path, args):
    path = tmp_path / "x.prom"
    path.write_text("old")
    if args[0] == "--cacert" and "tls" not in run("--version", json=False).out.decode():
        pytest.skip("TLS is not in this build")
    run("-f", "prometheus", "-o", path, *args, "ws://u:s3cret@127.0.0.1:1/?key=s3cret", status=64, secrets=["s3cret"])
    text = path.read_text()
    assert text.endswith('probe_success{target="ws://127.0.0.1:1/?key=***"} 0\n') and "s3cret" not in text
    assert files(tmp_path) == ["x.prom"]


@needs("nagios")
def test_output_for_nagios(tmp_path):
    run("-f", "nagios", "-o", tmp_path / "x", "--bogus", URL, status=3, json=False)
    assert (tmp_path / "x").read_text().startswith("WEBSOCKET UNKNOWN")


def test_output_to_what_is_no_file():
    with Server(echo) as s:
        assert run("-o", "/dev/null", "-d", "x", s.url, status=0, json=False).out == b""
        assert run("-o", "/dev/full", "-d", "x", s.url, status=74, json=False).out == b""
        for more in ([], [s.url]):  # the error names the file that could not be written
            r = run("-o", "/dev/full", *more, "-f", "raw", "-d", "x", s.url, status=74, json=False)
            assert "wsquery: /dev/full: No space left on device" in r.err and "standard output" not in r.err
        assert run("-o", "-", "-d", "x", s.url, status=0).data == "x"
    assert run("-o", "/dev/null", "--check", URL, status=1, json=False).out == b""
