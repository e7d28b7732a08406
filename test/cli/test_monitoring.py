# SPDX-License-Identifier: ISC
"""contrib/monitoring: every command line in its files is run, with a server and without one."""

import json
import pathlib
import re
import shlex
import subprocess

import pytest
from conftest import ROOT, WSQUERY, environment, needs
from servers import Server, echo, unused_port

HERE = ROOT / "contrib" / "monitoring"
URL = "ws://127.0.0.1:8080/"
HEAD = {"consul.json", "README.md"}  # these have no comment at their head


def text(name):
    return (HERE / name).read_text()


def nagios_commands():
    """The commands of nagios.cfg as its services call them."""
    lines = dict(re.findall(r"command_name\s+(\S+)\n\s+command_line\s+(.*)", text("nagios.cfg")))
    for call in re.findall(r"check_command\s+(.*)", text("nagios.cfg")):
        name, *args = call.split("!")
        line = lines.pop(name)
        for n, arg in enumerate(args, 1):
            assert "$ARG%d$" % n in line
            line = line.replace("$ARG%d$" % n, arg)
        assert "$" not in line
        yield line
    assert not lines, "no service uses these commands"


def zabbix_commands():
    for key, line in re.findall(r"^UserParameter=([\w.]+\[\*\]),(.*)$", text("zabbix.conf"), re.MULTILINE):
        assert key
        yield line.replace("$1", URL)


def telegraf_commands():
    tomllib = pytest.importorskip("tomllib")
    (plugin,) = tomllib.loads(text("telegraf.conf"))["inputs"]["exec"]
    assert plugin["data_format"] == "nagios"
    assert seconds_of(plugin["commands"][0]) < float(plugin["timeout"].rstrip("s"))
    return plugin["commands"]


def consul_commands():
    (check,) = json.loads(text("consul.json"))["service"]["checks"]
    command = " ".join(map(shlex.quote, check["args"]))
    assert seconds_of(command) < float(check["timeout"].rstrip("s"))
    return [command]


def cron_commands():
    for line in text("node-exporter.cron").splitlines():
        if line.startswith("* * * * * "):
            yield line.split(" ", 6)[6]


def found_by(name, pattern):
    return lambda: re.findall(pattern, text(name), re.MULTILINE)


def seconds_of(command):
    return float(re.search(r" -t (\S+)", command).group(1))


# file: its commands, their number, the exit status with a server and without one
COMMANDS = {
    "nagios.cfg": (nagios_commands, 2, 0, 2),
    "zabbix.conf": (zabbix_commands, 2, 0, None),
    "monit.conf": (found_by("monit.conf", r'path "(.*)"'), 1, 0, 1),
    "websocket-check.service": (found_by("websocket-check.service", r"^ExecStart=(.*)"), 1, 0, 1),
    "wait-for-websocket.conf": (found_by("wait-for-websocket.conf", r"^ExecStartPost=(.*)"), 1, 0, 1),
    "consul.json": (consul_commands, 1, 0, 2),
    "telegraf.conf": (telegraf_commands, 1, 0, 2),
    "node-exporter.cron": (cron_commands, 1, 0, 1),
}


def execute(line, url, directory):
    """Runs the line in a shell, with wsquery in PATH and another URL."""
    (directory / "bin").mkdir(exist_ok=True)
    program = directory / "bin" / "wsquery"
    if not program.exists():
        program.symlink_to(pathlib.Path(WSQUERY).resolve())
    assert line.count(URL) == 1
    line = line.replace("/usr/local/bin/wsquery", "wsquery").replace(URL, url).replace("--wait 30s", "--wait 300ms")
    env = environment({"PATH": "%s:/usr/bin:/bin" % (directory / "bin"), "DIR": str(directory)})
    return subprocess.run(["sh", "-c", line], env=env, cwd=directory, capture_output=True, text=True, timeout=120, check=False)


@needs("nagios")
@pytest.mark.parametrize("name", COMMANDS)
def test_commands(name, tmp_path):
    commands, number, up, down = COMMANDS[name]
    lines = list(commands())
    assert len(lines) == number
    sock, port = unused_port()
    with sock, Server(echo) as s:
        for line in lines:
            print(line)
            good = execute(line, s.url, tmp_path)
            assert good.returncode == up, good
            bad = execute(line, "ws://127.0.0.1:%d/" % port, tmp_path)
            if down is not None:
                assert bad.returncode == down, bad
            said = bad.stdout + "".join(f.read_text() for f in tmp_path.glob("*.prom"))
            assert "-q" in line or "refused" in said or 'probe_success{target="ws://127.0.0.1:%d/"} 0' % port in said


@needs("nagios")
def test_zabbix_items(tmp_path):
    """The first item prints the status, the second the answer."""
    status, answer = zabbix_commands()
    sock, port = unused_port()
    with sock, Server(echo) as s:
        for url, want in (s.url, 0), ("ws://127.0.0.1:%d/" % port, 1):
            assert execute(status, url, tmp_path).stdout == "%d\n" % want
            result = json.loads(execute(answer, url, tmp_path).stdout)
            assert result["connection"] == (want == 0) and result["details"]["timings_ms"]["total"] > 0
    for line in zabbix_commands():
        assert seconds_of(line) < 3


def test_options_of_icinga():
    """Each argument of the command is an option of the program."""
    options = subprocess.run([WSQUERY, "--help"], capture_output=True, text=True, check=True).stdout
    used = re.findall(r'^\s+"(--[a-z-]+)" =', text("icinga2.conf"), re.MULTILINE)
    assert len(used) >= 10 and all(re.search(r"%s\b" % o, options) for o in used)


def test_every_file():
    """Each file is in the README, is run above, and begins with what the statuses mean."""
    names = {p.name for p in HERE.iterdir()}
    assert names - {"README.md"} == set(re.findall(r"\]\((?!\.\.)([\w.-]+)\)", text("README.md")))
    for name in names - HEAD:
        head = text(name).split("\n\n")[0].splitlines()
        assert len(head) >= 2 and all(re.match(r"#|/\*| \*", line) for line in head[:2]), name
    assert names - set(COMMANDS) - HEAD == {"icinga2.conf", "websocket-check.timer"}
