# SPDX-License-Identifier: ISC
"""The completions of --completion, in the shells that they are for: what a user types, including TAB, becomes these words."""

import contextlib
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time

import pytest
from conftest import run
from servers import LONG

SHELLS = ("bash", "zsh", "fish")

# What is typed, where | is the TAB key, and the words that it becomes
TYPED = [
    ("--form|prom|", ["--format", "prometheus"]),
    ("-f nag|", ["-f", "nagios"]),
    ("--format=nag|", ["--format=nagios"]),
    ("--tls-mi|1.3 -4", ["--tls-min", "1.3", "-4"]),
    ("--cacert fi|", ["--cacert", "file one.pem"]),
    ("--cacert=fi|", ["--cacert=file one.pem"]),
    ("--capath di|", ["--capath", "directory/"]),
    ("-d @fi|", ["-d", "@file one.pem"]),
    ("--data @fi|", ["--data", "@file one.pem"]),
    ("--header @fi|", ["--header", "@file one.pem"]),
    ("-t fi|", ["-t", "fi"]),
    ("--timeout fi|", ["--timeout", "fi"]),
    ("--chec|--deta|", ["--check", "--details"]),
    ("--check -d @fi|", ["--check", "-d", "@file one.pem"]),
    ("--data=@fi|", ["--data=@file one.pem"]),
    ("-d@fi|", ["-d@file one.pem"]),
]


def options():
    """The options in the help."""
    return sorted(set(re.findall(r" --([a-z][a-z0-9-]+)", run("--help", json=False, status=0).out.decode())))


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    """A directory with the scripts, under the names by which shells find them."""
    d = tmp_path_factory.mktemp("completion")
    for shell, name in zip(SHELLS, ("wsquery", "_wsquery", "wsquery.fish")):
        (d / name).write_bytes(run("--completion", shell, json=False, status=0).out)
    return d


@pytest.fixture
def place(tmp_path):
    """A directory that contains a file and a directory."""
    (tmp_path / "file one.pem").write_text("")
    (tmp_path / "directory").mkdir()
    return tmp_path


class Terminal:
    """A shell on a terminal, as for a user."""

    def __init__(self, args, cwd):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            env = {"PATH": os.environ["PATH"], "TERM": "xterm", "HOME": str(cwd), "LC_ALL": "C.UTF-8", "PS1": ""}
            os.execvpe(args[0], args, env)
        self.seen = b""

    def type(self, text, until):
        """Types text, and returns the match of a pattern in the output that follows."""
        os.write(self.fd, text.encode())
        end = time.monotonic() + LONG
        while True:
            m = re.search(until, self.seen, re.DOTALL)
            if m:
                self.seen = self.seen[m.end() :]
                return m
            if not select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError("the shell did not show %r: %r" % (until, self.seen))
            self.seen += os.read(self.fd, 65536)

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


BEGIN = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source %s/wsquery"),
    "zsh": (["zsh", "-f", "-i"], "fpath=(%s $fpath); autoload -U compinit; compinit -D -u"),
}


@contextlib.contextmanager
def shell_with(shell, scripts, place):
    """A shell that has the completions, and a wsquery that shows its words."""
    args, begin = BEGIN[shell]
    t = Terminal(args, place)
    try:
        t.type("", rb"[$%#] *|\x1b")  # the first prompt
        t.type("PS1=rea''dy\\>\n", rb"ready>")
        t.type((begin % scripts) + "; echo do''ne\n", rb"done\r\n.*ready>")
        t.type("wsquery() { printf 'word<%s>' \"$@\"; echo en''d; }\n", rb"ready>")
        yield t
    finally:
        t.close()


def typed(terminal, text):
    """The words that wsquery gets when this is typed."""
    shown = terminal.type("wsquery " + text.replace("|", "\t") + "\n", rb"((?:word<[^>]*>)+)end.*ready>")
    return re.findall(r"word<([^>]*)>", shown.group(1).decode())


def plain(words):
    """The same words, for shells that write "=" after an option, or remove the "/" after a directory."""
    return " ".join(words).replace("=", " ").rstrip("/")


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_typed(scripts, place, shell):
    if not shutil.which(shell):
        pytest.skip("no %s here" % shell)
    with shell_with(shell, scripts, place) as terminal:  # one for all, because zsh needs half a second to begin
        for text, words in TYPED:
            assert plain(typed(terminal, text)) == plain(words), text


def fish(scripts, place, line):
    """What fish offers for the end of the line."""
    p = subprocess.run(
        ["fish", "--no-config", "-c", "source %s/wsquery.fish; complete -C $argv[1]" % scripts, line],
        cwd=place,
        env={"PATH": os.environ["PATH"], "HOME": str(place), "LC_ALL": "C.UTF-8", "TERM": "xterm"},
        capture_output=True,
        timeout=LONG,
    )
    assert p.returncode == 0 and p.stderr == b""
    return [x.split("\t")[0] for x in p.stdout.decode().splitlines()]


@pytest.mark.parametrize("text, words", TYPED, ids=[t for t, _ in TYPED])
def test_fish(scripts, place, text, words):
    if not shutil.which("fish"):
        pytest.skip("no fish here")
    begun = text.split("|")[0]
    wanted = words[len(begun.split()) - 1]
    offered = fish(scripts, place, "wsquery " + begun)
    assert offered == ([] if begun.endswith(wanted) else [wanted])


def test_every_option(scripts):
    for name in ("wsquery", "_wsquery", "wsquery.fish"):
        text = (scripts / name).read_text()
        for option in options():
            assert re.search(r"(--|-l )%s\b(?!-)" % option, text), (name, option)


def test_an_unknown_shell():
    r = run("--completion", "csh", json=False, status=64)
    assert "bash, zsh, fish" in r.err
