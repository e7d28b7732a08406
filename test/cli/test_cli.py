# SPDX-License-Identifier: ISC
"""The command line: errors are named, secrets are not shown, and output goes to the right place."""

import ast
import pathlib
import re
import subprocess

import pytest
from conftest import BUILT_IN, WSQUERY, environment, needs, run
from servers import TEXT, Server, close_frame, echo, frame, says, unused_port

URL = "ws://127.0.0.1:1/"


@pytest.mark.parametrize("path", sorted(pathlib.Path(__file__).parent.glob("*.py")), ids=lambda p: p.name)
def test_no_test_hides_another_of_its_name(path):
    names = [n.name for n in ast.parse(path.read_text()).body if isinstance(n, ast.FunctionDef)]
    assert len(names) == len(set(names)), [n for n in names if names.count(n) > 1]


# Arguments, and what stderr must name.
WRONG = [
    ([], "URL"),
    (["--", ], "URL"),
    ([URL, URL, "-f", "nagios"], "nagios"),
    (["--from", "/nowhere/list"], "/nowhere/list"),
    (["--jobs", "0", URL], "--jobs"),
    (["--bogus", URL], "--bogus"),
    (["--bogus=3", URL], "--bogus"),
    (["-Z", URL], "-Z"),
    (["-DZ", URL], "-Z"),
    (["--tim", "3", URL], "--tim"),
    (["--tim", "3", URL], "did you mean --timeout?"),
    (["--subprotcol", "x", URL], "did you mean --subprotocol?"),
    (["--subprotocols=x", URL], "did you mean --subprotocol?"),
    (["--heaedr", "x", URL], "did you mean --header?"),
    (["--conect-timeout", "x", URL], "did you mean --connect-timeout?"),
    (["-d", "@no such file", URL], "--data-raw"),
    (["-e", "\\d+", URL], "[0-9]"),
    ([URL, "-t"], "-t"),
    ([URL, "--timeout"], "--timeout"),
    (["--check=1", URL], "--check"),
    (["-t", "abc", URL], "abc"),
    (["-t", "", URL], "-t"),
    (["-t", "-1", URL], "-1"),
    (["-t", "1x", URL], "1x"),
    (["-t", "1 s", URL], "1 s"),
    (["-t", "nan", URL], "nan"),
    (["-t", "inf", URL], "inf"),
    (["-t", "1e3", URL], "1e3"),
    (["-t", "99999999999999999999", URL], "99999999999999999999"),
    (["--timeout=1h3", URL], "1h3"),
    (["--connect-timeout", "x", URL], "--connect-timeout"),
    (["--close-timeout", "x", URL], "--close-timeout"),
    (["--retry-delay", "x", URL], "--retry-delay"),
    (["--wait", "x", URL], "--wait"),
    (["--retry", "x", URL], "--retry"),
    (["--retry", "-1", URL], "-1"),
    (["--retry", "1.5", URL], "1.5"),
    (["-n", "x", URL], "x"),
    (["-n", "-1", URL], "-1"),
    (["-n", "1.5", URL], "1.5"),
    (["-n", "99999999999999999999", URL], "99999999999999999999"),
    (["--max-message", "x", URL], "--max-message"),
    (["--max-message", "-1", URL], "-1"),
    (["--max-message", "1T", URL], "1T"),
    (["--max-message", "99999999999999999999G", URL], "99999999999999999999G"),
    (["--max-redirs", "x", URL], "--max-redirs"),
    (["--keepalive", "x", URL], "--keepalive"),
    (["--check", "-e", "x", URL], "--check"),
    (["--check", "-n", "1", URL], "--check"),
    (["-d", "x", "-e", "y", "-n", "2", URL], "-n"),
    (["-d", "@/no/such/file", URL], "/no/such/file"),
    (["-d", "@", URL], "-d"),
    (["-H", "@/no/such/file", URL], "/no/such/file"),
    (["-b", "@/no/such/file", URL], "/no/such/file"),
    (["-u", "@/no/such/file", URL], "/no/such/file"),
    (["--bearer", "@/no/such/file", URL], "/no/such/file"),
    (["-d", "@/", URL], "/"),
    (["-d", "@-", "-d", "@-", URL], "@-"),
    (["-d", "@-", "-H", "@-", URL], "@-"),
    ([b"-d", b"\xff", b"ws://127.0.0.1:1/"], "-d"),
    ([b"--data-raw", b"\xed\xa0\x80", b"ws://127.0.0.1:1/"], "--data-raw"),
    (["-e", "(", URL], "("),
    (["-e", "a{2,1}", URL], "a{2,1}"),
    (["-e", "a{256}", URL], "a{256}"),
    (["-e", "[", URL], "["),
    (["-e", "\\1", URL], "\\1"),
    (["-e", "\\w", URL], "\\w"),
    (["-e", "a\\", URL], "a\\"),
    ([b"-e", b"\xff", b"ws://127.0.0.1:1/"], "-e"),
    (["-H", "nonsense", URL], "nonsense"),
    (["-H", ": x", URL], "header"),
    (["-H", "X Y: z", URL], "X Y"),
    (["-H", "X: a\r\nY: b", URL], "X"),
    (["-H", "Upgrade: x", URL], "Upgrade"),
    (["-H", "Upgrade:", URL], "Upgrade"),
    (["-H", "Connection: close", URL], "Connection"),
    (["-H", "Connection:", URL], "Connection"),
    (["-H", "Sec-WebSocket-Key: x", URL], "Sec-WebSocket-Key"),
    (["-H", "sec-websocket-anything: x", URL], "sec-websocket-anything"),
    (["-b", "a\r\nX: y", URL], "-b"),
    (["--origin", "a\nb", URL], "--origin"),
    (["-A", "a\nb", URL], "-A"),
    (["--host", "a\nb", URL], "--host"),
    (["--bearer", "a\nb", URL], "--bearer"),
    (["-s", "a b", URL], "a b"),
    (["-s", "", URL], "-s"),
    (["-u", "a:b", "--bearer", "c", URL], "--bearer"),
    (["-x", "nonsense://h", URL], "nonsense://h"),
    (["-x", "http://", URL], "http://"),
    (["-x", "http://h:99999", URL], "http://h:99999"),
    (["--noproxy", "10.0.0.0/99", URL], "10.0.0.0/99"),
    (["--unix-socket", "/x", "-x", "http://127.0.0.1:1", URL], "--unix-socket"),
    (["--unix-socket", "", URL], "--unix-socket"),
    (["--unix-socket", "/" + "x" * 200, URL], "--unix-socket"),
    (["--resolve", "nonsense", URL], "nonsense"),
    (["--resolve", "h:80:nonsense", URL], "h:80:nonsense"),
    (["--resolve", "h:99999:127.0.0.1", URL], "h:99999:127.0.0.1"),
    (["--interface", "", URL], "--interface"),
    (["-f", "xml", URL], "xml"),
    (["-w", "x", URL], "-w"),
    (["-c", "x", URL], "-c"),
    (["--cert-expiry", "x", URL], "--cert-expiry"),
]  # fmt: skip


# Of an option with two names, stderr may show either.
LONG = {
    "-t": "--timeout", "-n": "--count", "-d": "--data", "-e": "--expect", "-H": "--header", "-b": "--cookie",
    "-A": "--user-agent", "-s": "--subprotocol", "-u": "--user", "-x": "--proxy", "-f": "--format", "-w": "--warning",
    "-c": "--critical", "-DZ": "-Z",
}  # fmt: skip


@pytest.mark.parametrize("args, named", WRONG, ids=lambda v: repr(v)[:60])
def test_wrong(args, named):
    if "proxies" not in BUILT_IN and ("-x" in args or "--noproxy" in args):
        pytest.skip("proxies: not in this build")
    r = run(*args, status=64)
    assert named in r.err
    options = [a if isinstance(a, str) else a.decode("latin-1") for a in args]
    options = [a.split("=")[0] for a in options if a.startswith("-") and a != "--" and not a[1].isdigit()]
    # at least one of the given options; if there are several, the cases above say which
    assert not options or any(o in r.err or LONG.get(o, o) in r.err for o in options)


def test_a_wrong_option_is_reported_before_a_wrong_url():
    run("--bogus", "nonsense", status=64)


def test_a_missing_network_interface_is_named():
    r = run("--interface", "nosuchdev0", URL)
    assert r.status in (1, 64) and "nosuchdev0" in (r.err if r.status == 64 else r.error)


def test_secrets_of_a_wrong_command_line():
    for args in (["-u", "joe:s3cret\n"], ["--bearer", "s3cret x\n"], ["-b", "s3cret\n"], ["-H", "Authorization: s3cret\x01"], ["-x", "http://u:s3cret@"], ["-x", "bad://u:s3cret@h"]):
        run(*args, URL, status=64, secrets=["s3cret"])


# What follows an option whose value was forgotten, and where the secret begins, which is not shown
MISPLACED = ["-uME:s3cret", "-kus3cret", "--bearer=s3cret", "-bs3cret", "-Hs3cret", "-xs3cret", "ws://me:s3cret@h/", "wss://h/?token=s3cret"]
PLAIN = ["--from", "-o", "--unix-socket", "--interface", "--host", "-A", "-s", "--resolve"]
WITH_TLS = ["--cacert", "--capath", "--cert", "--key", "--server-name", "--ciphers", "--pinnedpubkey"]


@pytest.mark.parametrize("option", PLAIN + [pytest.param(o, marks=needs("tls")) for o in WITH_TLS])
def test_a_forgotten_value_shows_no_secret(option, tmp_path):
    """The secret is not taken for the name of a file either, nor sent as the value of a header."""
    for value in MISPLACED:
        r = run(option, value, URL, status=64, secrets=["s3cret"], cwd=tmp_path)
        assert "a value is missing" in r.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["-t", "-f", "-n", "--max-message", "--jobs", "--completion"])
def test_a_wrong_value_shows_no_secret(option):
    for value in MISPLACED:
        run(option, value, URL, status=64, secrets=["s3cret"])


@pytest.mark.parametrize("option", ["-e", "--fail-on", "--until"])
def test_a_forgotten_pattern_shows_no_secret(option):
    """Nothing is sent either, while the secret was meant for the server."""
    for value in MISPLACED:
        if value.startswith("-"):
            assert "a value is missing" in run(option, value, URL, status=64, secrets=["s3cret"]).err
    with Server(lambda c: c.read_request().upgrade().text("another").end()) as s:
        for value in ("ws://me:s3cret@h/", "wss://h/?token=s3cret"):
            r = run(option, value, s.url, status=None, json=False, secrets=["s3cret"])
            assert option == "--fail-on" or r.status == 3 and b"://h/" in r.out


@pytest.mark.parametrize("option", ["--expect", "--until"])
def test_a_pattern_may_begin_with_a_dash_or_be_a_url(option):
    for pattern in ("=-us3cret", "=ws://h/", "=-k"):
        with Server(lambda c: c.upgrade().text(pattern[1:]).finish()) as s:
            run(option + pattern, s.url, status=0, json=False)


def test_a_header_without_a_colon_may_be_an_option():
    assert "a value is missing" in run("-H", "-us3cret", URL, status=64, secrets=["s3cret"]).err


@pytest.mark.parametrize("args", [["--user-agent=-us3cret"], ["-A-us3cret"], ["-H", "-x: y"], ["-d", "-us3cret"], ["--origin", "ws://h/"], ["-A", "-k"], ["-A", "-q"]])
def test_other_values_may_begin_with_a_dash(args):
    with Server(lambda c: c.upgrade().finish()) as s:
        run(*args, "-n", 0, s.url, status=0)


def test_a_file_may_have_such_a_name(tmp_path):
    with Server(says("a")) as s:
        (tmp_path / "-ume").write_text(s.url + "\n")
        for name in (["--from=-ume"], ["--from", "./-ume"]):
            assert run(*name, status=0, cwd=tmp_path).data == "a"


@pytest.mark.parametrize("option, needs", [("-b", "NAME=VALUE"), ("-u", "USER:PASSWORD"), ("-H", "NAME: VALUE")])
def test_a_file_without_its_at_sign(option, needs, tmp_path):
    """curl reads a file with -b FILE, but wsquery needs -b @FILE."""
    (tmp_path / "f.txt").write_text("a=s3cret")
    r = run(option, "f.txt", URL, status=64, cwd=tmp_path, secrets=["s3cret"])
    assert '"f.txt"' in r.err and "write @" in r.err and needs in r.err


def test_a_cookie_that_is_not_a_file(tmp_path):
    (tmp_path / "a=b").write_text("x=y")
    (tmp_path / "dir").mkdir()
    with Server(says("a")) as s:
        for cookie in ("nosuchfile", "a=b", "dir"):
            run("-b", cookie, s.url, status=0, cwd=tmp_path)
        assert [c.header("cookie") for c in s.conns] == ["nosuchfile", "a=b", "dir"]


@pytest.mark.parametrize(
    "jar",
    [
        "# Netscape HTTP Cookie File\n# https://curl.se/docs/http-cookies.html\n\n",
        "# HTTP Cookie File\n",
        "h.example\tFALSE\t/\tFALSE\t0\tsid\ts3cret\n",
        "\n#HttpOnly_h.example\tFALSE\t/\tFALSE\t0\tsid\ts3cret\r\n",
    ],
)
def test_a_cookie_jar_is_refused_with_a_reason(jar, tmp_path):
    (tmp_path / "jar").write_text(jar)
    r = run("-b", "@jar", URL, status=64, cwd=tmp_path, secrets=["s3cret"])
    assert "-b, --cookie" in r.err and '"jar"' in r.err and "cookie jar" in r.err


def test_secrets_of_a_file_of_headers(tmp_path):
    f = tmp_path / "f"
    for text, line in (("s3cret", 1), ("A: b\r\n\r\ns3cret\r\n", 3), ("A: b\rs3cret", 1)):
        f.write_text(text, newline="")
        r = run("-H", "@%s" % f, URL, status=64, secrets=["s3cret"])
        assert str(f) in r.err and "line %d " % line in r.err


def test_secrets_of_a_wrong_url():
    for url in ("ws://joe:s3cret@", "ws://joe:s3cret@h:99999/", "ws://joe:s3cret@[::1/", "ftp://joe:s3cret@h/", "joe:s3cret@h"):
        run("-D", "-v", url, status=1, secrets=["s3cret"])


def test_secrets_of_a_refused_connection():
    sock, port = unused_port()
    with sock:
        run("-D", "-v", "-u", "joe:s3cret", "-b", "s3cret", "ws://x:s3cret@127.0.0.1:%d/" % port, status=1, secrets=["s3cret"])


@pytest.mark.parametrize("args", [["-h"], ["--help"], ["-h", "--check", URL, "one too many"], ["--help", "-t", "abc"]])
def test_help(args):
    r = run(*args, json=False, status=0)
    text = r.out.decode()
    for option in ("--data", "--expect", "--timeout", "--details", "--proxy", "--unix-socket", "--wait"):
        assert option in text
    assert r.err == ""


def test_help_names_the_traps_of_steps():
    """The errors for two -d, and for a server that greets, name the steps."""
    steps = run("--help", json=False, status=0).out.decode().split("Following")[0]
    assert "two -d\nneed -n 2" in steps and "greets first needs -e GREETING before the -d" in steps


def test_every_option_of_the_contract_is_in_the_help():
    text = run("--help", json=False, status=0).out.decode()
    for option in (
        "-d --data --data-raw -B --binary -e --expect -n --count --check -p --ping -t --timeout -m --max-time "
        "-F --follow -l --lines --until --idle-timeout --ping-interval "
        "--connect-timeout --close-timeout --retry --retry-delay --wait --max-message -H --header -b --cookie --origin "
        "-A --user-agent --host -s --subprotocol -u --user --bearer --max-redirs -x --proxy --noproxy -4 --ipv4 -6 --ipv6 "
        "--unix-socket --resolve --interface --keepalive -k --insecure --cacert --capath --cert --key --pass "
        "--server-name --no-check-hostname --tls-min --tls-max --ciphers --pinnedpubkey --cert-expiry --no-utf8-check "
        "-D --details -f --format -q --quiet -v --verbose -w --warning -c --critical -h --help -V --version"
    ).split():
        assert re.search(r"(?<![\w-])%s(?![\w-])" % re.escape(option), text), option


@pytest.mark.parametrize("args", [["-V"], ["--version"], ["-V", "nonsense", "one too many"]])
def test_version(args):
    r = run(*args, json=False, status=0)
    assert re.match(rb"wsquery \d+\.\d+\.\d+", r.out) and r.err == ""


def test_quiet():
    with Server(echo) as s:
        assert run("-q", "-d", "x", s.url, json=False, status=0).out == b""
    sock, port = unused_port()
    with sock:
        r = run("--quiet", "ws://127.0.0.1:%d" % port, json=False, status=1)
        assert r.out == b""
    with Server(lambda c: c.upgrade().send(close_frame(1000)).eof()) as s:
        assert run("-q", s.url, json=False, status=3).out == b""


def test_bundled_short_options():
    with Server(echo) as s:
        assert run("-qDdx", s.url, json=False, status=0).out == b""
        assert run("-Ddx", s.url, status=0).data == "x"
        assert run("-Dpn1", "-dx", s.url, status=0).data == "x"


def test_end_of_options():
    with Server(echo) as s:
        assert run("-d", "--", "-D", "--", s.url, status=0).data == "--"


def test_a_value_that_looks_like_an_option():
    with Server(echo) as s:
        assert run("-d", "--check", s.url, status=0).data == "--check"
        assert run("--data=-x", s.url, status=0).data == "-x"


def test_raw():
    with Server(says("one", "two")) as s:
        assert run("-f", "raw", "-n", 2, s.url, json=False, status=0).out == b"one\ntwo\n"
    with Server(says(b"\x00\xff\n")) as s:
        assert run("--format=raw", s.url, json=False, status=0).out == b"\x00\xff\n"
    with Server(says("a\0b")) as s:
        assert run("-f", "raw", s.url, json=False, status=0).out == b"a\0b\n"


def test_raw_failure():
    sock, port = unused_port()
    with sock:
        r = run("-f", "raw", "ws://127.0.0.1:%d" % port, json=False, status=1)
    assert r.out == b"" and "127.0.0.1:%d" % port in r.err
    with Server(lambda c: c.upgrade(frame(TEXT, "one"), close_frame(1011, "bad")).eof()) as s:
        r = run("-f", "raw", "-n", 2, s.url, json=False, status=3)
    assert r.out == b"one\n" and "1011" in r.err


def test_verbose():
    with Server(echo) as s:
        r = run("-v", "-d", "hello there", "-p", s.url, status=0)
    out = [x for x in r.err.splitlines() if x.startswith(">")]
    into = [x for x in r.err.splitlines() if x.startswith("<")]
    assert any("GET / HTTP/1.1" in x for x in out) and any("101" in x for x in into)
    assert any("hello there" in x for x in out) and any("hello there" in x for x in into)
    assert any("ping" in x.lower() for x in out) and any("pong" in x.lower() for x in into)
    assert any("close" in x.lower() for x in out)
    assert r.data == "hello there"


def test_verbose_does_not_call_a_short_payload_cut():
    with Server(lambda c: c.upgrade(frame(0x8, b"\x03")).eof()) as s:
        r = run("-v", s.url, status=3)
    close = [x for x in r.err.splitlines() if x.startswith("<") and "close" in x]
    assert len(close) == 1 and "..." not in close[0], r.err


def test_verbose_shows_invalid_responses():
    for answer, shown in (
        (b"HTTP/1.1 400 Bad\r\nX: y\r\nbroken line\r\n\r\n", ["< HTTP/1.1 400 Bad", "< X: y", "< broken line"]),
        (b"HTTP/1.1 400 Bad\r\nX: y\r\nZ: \0\r\n\r\n", ["< HTTP/1.1 400 Bad", "< X: y", "< Z: "]),
        (b"SSH-2.0-OpenSSH\r\n", []),
    ):
        with Server(lambda c: c.read_request() and c.send(answer).eof()) as s:
            r = run("-v", s.url, status=1)
        assert [x for x in r.err.splitlines() if x.startswith("<")] == shown, r.err


def test_verbose_shows_no_control_characters():
    with Server(lambda c: c.upgrade(frame(TEXT, "\x1b[31m\x07"), extra=["X: \x9b"]).finish()) as s:
        r = run("-v", s.url, status=0)
    assert "\x1b" not in r.err and "\x07" not in r.err


UNSEEN = "\u200b\u200e\u200f\u061c\u2060\u202e\u2069\ufeff\ufff9\U000e0000\U000e0041\u00ad\ufe0f"


@pytest.mark.parametrize("args", [["-v", "-f", "nagios"], ["-f", "raw", "-v"], ["-v"]], ids=" ".join)
@pytest.mark.parametrize(
    "answer",
    [
        lambda c: c.refuse("503 a%sb" % UNSEEN.encode().decode("latin-1")).eof(),
        lambda c: c.upgrade(close_frame(1011, UNSEEN)).eof(),
        lambda c: c.upgrade(frame(TEXT, UNSEEN), extra=["X: %s" % UNSEEN]).finish(),
    ],
    ids=["refused", "closed", "shown by -v"],
)
def test_invisible_characters_are_not_printed(args, answer):
    """A peer sends invisible characters and characters that change the direction of text. They are not shown."""
    with Server(lambda c: answer(c)) as s:
        r = run(*args, s.url, json=False)
    if r.status == 64 and "not built in" in r.err:
        pytest.skip("this build has no other formats")
    text = r.err + (r.out.decode() if "raw" not in args else "")
    assert not set(text) & set(UNSEEN), text


def test_verbose_masks_secrets():
    with Server(echo) as s:
        r = run(
            "-v", "-D", "-u", "joe:s3cret", "-b", "sid=s3cret2", "-H", "Proxy-Authorization: s3cret3", "-d", "x",
            s.url, status=0, secrets=["s3cret", "joe:s3cret", "s3cret2", "s3cret3"],
        )  # fmt: skip
    assert "uthorization" in r.err


def test_verbose_masks_headers_by_their_names():
    sent = ["X-Api-Key", "x-auth-TOKEN", "Cookie2", "X-Signature", "Sessionid"]
    came = ["Set-Cookie", "X-Auth-Token", "X-Session"]
    shown = ["WWW-Authenticate", "Access-Control-Allow-Credentials", "X-Other"]
    with Server(lambda c: c.upgrade(frame(TEXT, "a"), extra=[n + ": s3cret" for n in came] + [n + ": here" for n in shown]).finish()) as s:
        args = [a for n in sent for a in ("-H", n + ": s3cret")]
        r = run("-v", *args, "-H", "Referer: http://h/?token=s3cret&a=1", "-H", "X-Plain: here", s.url, status=0, secrets=["s3cret"])
    lines = r.err.splitlines()
    for line in ["> %s: ***" % n for n in sent] + ["< %s: ***" % n for n in came] + ["< %s: here" % n for n in shown]:
        assert line in lines, line
    assert "> Referer: http://h/?token=***&a=1" in lines and "> X-Plain: here" in lines


# Queries of a URL, and how they are shown.
MASKED = [
    ("token=s3cret", "token=***"),
    ("a=1&access_TOKEN=s3cret&b=2", "a=1&access_TOKEN=***&b=2"),
    ("apikey=s3cret", "apikey=***"),
    ("client_secret=s3cret", "client_secret=***"),
    ("passwd=s3cret", "passwd=***"),
    ("oauth=s3cret", "oauth=***"),
    ("X-Amz-Signature=s3cret", "X-Amz-Signature=***"),
    ("SESSIONID=s3cret&x", "SESSIONID=***&x"),
    ("X-Amz-Credential=s3cret", "X-Amz-Credential=***"),
    ("%74oken=s3cret", "%74oken=***"),
    ("to=%2F%3Fkey%3Ds3cret", "to=%2F%3Fkey%3D***"),
    ("user=joe&token=", "user=joe&token="),
]


@pytest.mark.parametrize("query, shown", MASKED, ids=[q for q, _ in MASKED])
def test_secrets_in_a_url(query, shown):
    with Server(says("a")) as s:
        r = run("-v", "-D", s.url + "x?" + query, status=0, secrets=["s3cret"])
        assert s.conn.request_line == "GET /x?%s HTTP/1.1" % query
    assert r.details["url"] == s.url + "x?" + shown
    assert "> GET /x?%s HTTP/1.1" % shown in r.err.splitlines()


@pytest.mark.parametrize("args", [[], ["-f", "raw"], ["-f", "nagios"], ["-f", "prometheus"], ["-v", "-D"], ["-x", "socks4://127.0.0.1:1"]], ids=" ".join)
def test_secrets_in_a_url_that_failed(args):
    sock, port = unused_port()
    with sock, Server(lambda c: c.refuse("403 Forbidden").eof()) as s:
        for url in (
            "ws://127.0.0.1:%d/?token=s3cret" % port,
            s.url + "?token=s3cret",
            "ws://127.0.0.1:1/?token=s3cret a",
            "ws://127.0.0.1:1/?a b&token=s3cret",
            "ws://127.0.0.1:1/#access_token=s3cret",
            "ftp://127.0.0.1:1/?token=s3cret",
            "ws://joe:s3cret%40127.0.0.1/",
            "joe:s3cret%40127.0.0.1",
            "wss://joe:80/?key=s3cret" if "tls" not in BUILT_IN else "ws://joe:x/?key=s3cret",
        ):
            run(*args, "-t", 2, url, json=False, secrets=["s3cret"])


def test_secrets_in_a_second_url():
    r = run("--resolve", "h:80:127.0.0.1", URL, "ws://h:1/?token=s3cret", status=1, secrets=["s3cret"], json=False)
    assert b"ws://h:1/?token=***" in r.out
    r = run("-H", "Authorization:", "Bearer", "s3cret", URL, status=64, secrets=["s3cret"])  # the quotes were forgotten
    assert "more than one URL" in r.err and "quotes" in r.err


# A URL, and what the error must say about its invalid byte.
CULPRITS = [
    ("ws://DOM\\joe:s3cret@h/", "user name, \\ is written %5C"),
    ("ws://joe:s3\\cret@h/", "in its password (byte 12)"),
    ("ws://h/a b", "path, a space is written %20"),
    ("ws://h/?a=\u200b", "this invisible character is written %E2%80%8B"),
    ("ws://h/?token=s3\"cret", "value of a parameter (byte 17)"),
]


@pytest.mark.parametrize("url, said", CULPRITS)
def test_the_wrong_byte_of_a_url_is_named(url, said):
    assert said in run(url, status=1, secrets=["s3cret", "cret"]).error
    url = url.replace("ws:", "http:")
    if "proxies" in BUILT_IN and "@" in url:
        assert said.split(" (")[0] in run("-x", url, URL, status=64, secrets=["s3cret", "cret"]).err
        for name in ("ws_proxy", "all_proxy"):
            r = run("ws://some.example/", env={name: url}, status=1, secrets=["s3cret", "cret"])
            assert name in r.error and said.split(" (")[0] in r.error


def test_a_set_cookie_header_does_no_harm():
    with Server(lambda c: c.upgrade(frame(TEXT, "a"), extra=["Set-Cookie: t=1"]).finish()) as s:
        run("-v", "-D", s.url, status=0)


@pytest.mark.parametrize("locale", ["C", "C.UTF-8", "nonsense"])
def test_the_locale_changes_nothing(locale):
    with Server(says("\u20ac")) as s:
        assert run("-e", "^.$", s.url, status=0, env={"LC_ALL": locale, "LANG": locale}).data == "\u20ac"


def test_no_environment():
    with Server(says("a")) as s:
        p = subprocess.run([WSQUERY, s.url], capture_output=True, env={k: v for k, v in environment().items() if "SAN" in k or "LIB" in k}, timeout=100)
    assert p.returncode == 0


def test_file_is_read_before_connecting(tmp_path):
    with Server(echo) as s:
        run("-d", "@%s/none" % tmp_path, s.url, status=64)
        assert not s.conns


def test_a_file_that_is_not_utf8(tmp_path):
    f = tmp_path / "f"
    f.write_bytes(b"a\xffb")
    r = run("-d", "@%s" % f, URL, status=64)
    assert str(f) in r.err and "--data" in r.err
    with Server(echo) as s:
        assert run("-B", "-d", "@%s" % f, s.url, status=0).json["encoding"] == "base64"


def test_standard_input_that_is_not_utf8():
    run("-d", "@-", URL, stdin=b"\xff", status=64)
    for before in (0, 1, (1 << 20) - 2, (1 << 20) - 1, 1 << 20, (2 << 20) + 1):  # the text is checked in pieces
        r = run("-d", "@-", URL, stdin=b"x" * before + b"\xe2\x82x", status=64)
        assert "byte %d is not UTF-8" % (before + 3) in r.err
        r = run("-d", "@-", URL, stdin=b"x" * before + b"\xe2\x82", status=64)
        assert "byte %d is not UTF-8" % (before + 3) in r.err


@pytest.mark.parametrize("option", ["-H", "-b", "-u", "--bearer", pytest.param("-x", marks=needs("proxies")), pytest.param("--pass", marks=needs("tls"))])
def test_a_file_that_is_too_large_for_an_option(option, tmp_path):
    f = tmp_path / "f"
    f.write_bytes(b"A: b\n" * 300000)
    assert "over 1 MiB" in run(option, "@%s" % f, URL, status=64).err


FORMATS = [
    pytest.param(["-f", "nagios"], 2, b"WEBSOCKET CRITICAL", marks=needs("nagios"), id="nagios"),
    pytest.param(["-f", "prometheus"], 1, b"probe_success", marks=needs("prometheus"), id="prometheus"),
]


@pytest.mark.parametrize("args, status, word", FORMATS)
def test_formats(args, status, word):
    with Server(says("a")) as s:
        r = run(*args, s.url, json=False, status=0)
    assert r.out.endswith(b"\n")
    sock, port = unused_port()
    with sock:
        r = run(*args, "ws://127.0.0.1:%d" % port, json=False, status=status)
    assert word in r.out


@needs("nagios")
def test_nagios():
    with Server(says("a")) as s:
        r = run("-f", "nagios", "-w", 50, "-c", 60, s.url, json=False, status=0)
        assert re.fullmatch(rb"WEBSOCKET OK - .* \| time=\d+\.\d{6}s;50(\.0+)?;60(\.0+)?;0(;\d*(\.\d+)?)?( .*)?\n", r.out), r.out

    def late(c):
        c.server.stop.wait(0.3)
        says("a")(c)

    with Server(late) as s:
        assert run("-f", "nagios", "-w", "0.1", "-c", 60, s.url, json=False, status=1).out.startswith(b"WEBSOCKET WARNING")
        assert run("-f", "nagios", "-c", "0.1", s.url, json=False, status=2).out.startswith(b"WEBSOCKET CRITICAL")
    r = run("-f", "nagios", "nonsense", json=False, status=3)
    assert r.out.startswith(b"WEBSOCKET UNKNOWN")
    r = run("-f", "nagios", "--bogus", URL, json=False, status=3)
    assert r.out.startswith(b"WEBSOCKET UNKNOWN") and b"--bogus" in r.out and r.out.count(b"\n") == 1


@needs("prometheus")
def test_prometheus():
    with Server(says("a")) as s:
        r = run("-f", "prometheus", s.url.replace("ws://", "ws://u:s3cret@"), json=False, status=0, secrets=["s3cret"])
    text = r.out.decode()
    for line in text.splitlines():
        assert line.startswith("#") or re.fullmatch(r'[a-z_]+\{target="[^"]*"(,[a-z_]+="[^"]*")*\} -?[0-9.e+-]+', line), line
    assert re.search(r'^probe_success\{target="%s"\} 1$' % re.escape(s.url), text, re.M)
    assert re.search(r"^probe_duration_seconds\{.*\} 0\.\d+$|^probe_duration_seconds\{.*\} \d+(\.\d+)?$", text, re.M)
    assert re.search(r"^probe_websocket_status_code\{.*\} 101$", text, re.M)


def test_help_fits_a_screen_and_a_half():
    lines = run("--help", status=0, json=False).out.decode().splitlines()
    assert [x for x in lines if len(x) > 80] == []
    assert len(lines) <= 78
