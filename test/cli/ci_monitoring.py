# SPDX-License-Identifier: ISC
"""contrib/monitoring in the systems that its files are for: each file is parsed, and Nagios, Icinga and others run it.

Run by .ci/run, which installs them; `make test` runs test_monitoring.py.
"""

import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import time
import urllib.request

import pytest
from conftest import WSQUERY
from servers import Server, echo, stopped, unused_port
from test_monitoring import HERE, URL, cron_commands, execute

LIMIT = 120  # seconds for a daemon to run one check


def found(name):
    """The path of a tool, which may be in a directory that is not in PATH, such as /usr/sbin."""
    path = shutil.which(name, path="%s:/usr/sbin:/sbin" % os.environ["PATH"])
    if path is None:
        pytest.skip("not installed: " + name)
    return path


def call(*args, status=0, **kw):
    p = subprocess.run([str(a) for a in args], capture_output=True, text=True, timeout=LIMIT, **kw)
    print(*args, p.stdout[-3000:], p.stderr[-3000:], sep="\n")
    assert status is None or p.returncode == status
    return p


@pytest.fixture
def path(tmp_path, monkeypatch):
    """wsquery is in PATH."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "wsquery").symlink_to(pathlib.Path(WSQUERY).resolve())
    for directory in (tmp_path, *tmp_path.parents[:2]):
        directory.chmod(0o755)
    monkeypatch.setenv("PATH", "%s:%s" % (tmp_path / "bin", os.environ["PATH"]))
    return tmp_path


def copy(name, directory, url=URL, **more):
    """The file, with the test's URL and the program under test."""
    text = (HERE / name).read_text()
    assert URL in text or url == URL
    text = text.replace(URL, url).replace("/usr/local/bin/wsquery", str(pathlib.Path(WSQUERY).resolve()))
    for old, new in more.items():
        assert old in text
        text = text.replace(old, new)
    made = directory / name
    made.write_text(text)
    return made


@contextlib.contextmanager
def daemon(*args, **kw):
    p = subprocess.Popen([str(a) for a in args], stdin=subprocess.DEVNULL, **kw)
    try:
        yield p
    finally:
        stopped(p)


def until(condition, running):
    end = time.monotonic() + LIMIT
    while True:
        value = condition()
        if value:
            return value
        assert running.poll() is None, "it has ended"
        assert time.monotonic() < end, "it took more than %d s" % LIMIT
        time.sleep(0.1)


def read(file):
    return file.read_text() if file.exists() else ""


# Nagios

NAGIOS = """
cfg_file={dir}/objects.cfg
cfg_file={dir}/nagios.cfg
log_file={dir}/log
object_cache_file={dir}/objects.cache
status_file={dir}/status.dat
state_retention_file={dir}/retention.dat
temp_file={dir}/temp
temp_path={dir}
check_result_path={dir}
lock_file={dir}/lock
command_file={dir}/command
query_socket={dir}/query
nagios_user=root
nagios_group=root
interval_length=1
status_update_interval=1
service_inter_check_delay_method=n
host_inter_check_delay_method=n
process_performance_data=1
service_perfdata_file={dir}/perfdata
service_perfdata_file_template=$SERVICEDESC$|$SERVICESTATE$|$SERVICEOUTPUT$|$SERVICEPERFDATA$
"""
OBJECTS = """
define timeperiod {
    timeperiod_name always
    alias always
    sunday 00:00-24:00
    monday 00:00-24:00
    tuesday 00:00-24:00
    wednesday 00:00-24:00
    thursday 00:00-24:00
    friday 00:00-24:00
    saturday 00:00-24:00
}
define command {
    command_name nothing
    command_line true
}
define contact {
    contact_name nobody
    host_notifications_enabled 0
    service_notifications_enabled 0
    host_notification_period always
    service_notification_period always
    host_notification_options n
    service_notification_options n
    host_notification_commands nothing
    service_notification_commands nothing
}
define host {
    host_name localhost
    address 127.0.0.1
    max_check_attempts 1
    check_period always
    contacts nobody
    notifications_enabled 0
}
define service {
    name generic-service
    register 0
    max_check_attempts 1
    retry_interval 1
    check_period always
    notification_interval 0
    notification_period always
    contacts nobody
}
"""


def nagios_files(directory, url):
    copy("nagios.cfg", directory, url)
    (directory / "objects.cfg").write_text(OBJECTS)
    (directory / "main.cfg").write_text(NAGIOS.format(dir=directory))
    return directory / "main.cfg"


def test_nagios_reads_the_file(path):
    nagios = found("nagios4")
    call(nagios, "-v", nagios_files(path, URL))
    wrong = path / "nagios.cfg"
    wrong.write_text(wrong.read_text().replace("command_line", "command_lines", 1))
    call(nagios, "-v", path / "main.cfg", status=1)


@pytest.mark.skipif(os.getuid() != 0, reason="Nagios wants to choose its user")
def test_nagios(path):
    nagios = found("nagios4")
    sock, port = unused_port()
    sock.close()

    def seen(state):
        lines = [line.split("|") for line in read(path / "perfdata").splitlines()]
        last = {line[0]: line for line in lines if len(line) == 4}
        return len(last) == 2 and all(line[1] == state for line in last.values()) and last.values()

    main = nagios_files(path, "ws://127.0.0.1:%d/" % port)
    with daemon(nagios, main, stdout=subprocess.DEVNULL, cwd=path) as p:
        for _, _, output, _ in until(lambda: seen("CRITICAL"), p):
            assert output.startswith("WEBSOCKET CRITICAL - ") and "refused" in output
        with Server(echo, port=port):
            for name, _, output, perfdata in until(lambda: seen("OK"), p):
                assert output.startswith("WEBSOCKET OK - ")
                limits = r"1(\.0+)?;5(\.0+)?" if name == "WebSocket" else ";"
                assert re.fullmatch(r"time=\d+\.\d+s;%s;0;8(\.0+)?" % limits, perfdata), perfdata


# Icinga

ICINGA = """
include <itl>
include "{dir}/icinga2.conf"
object Host "localhost" {{ check_command = "dummy" }}
object CheckerComponent "checker" {{}}
object PerfdataWriter "perfdata" {{
  service_perfdata_path = "{dir}/perfdata"
  service_temp_path = "{dir}/perfdata.new"
  host_perfdata_path = "{dir}/host-perfdata"
  host_temp_path = "{dir}/host-perfdata.new"
  service_format_template = "$service.state$|$service.output$|$service.perfdata$"
  rotation_interval = 1s
}}
"""


# Debian's Icinga has fixed directories, which are empty in a separate mount namespace
IN_NAMESPACE = """
mount -t tmpfs none /run && mkdir /run/icinga2 && mount -t tmpfs none "$1" && shift && exec "$@"
"""


def icinga():
    program = found("icinga2")
    data = pathlib.Path("/var/lib/icinga2")
    if not data.exists():
        pytest.skip("not there: %s" % data)
    return ["env", "ICINGA2_USER=root", "ICINGA2_GROUP=root", "unshare", "-m", "sh", "-c", IN_NAMESPACE, "sh", data, program, "daemon"]


def icinga_files(directory, url):
    text = copy("icinga2.conf", directory, url).read_text()
    (directory / "icinga2.conf").write_text(text.replace("check_interval = 1m", "check_interval = 1s\n  retry_interval = 1s"))
    (directory / "main.conf").write_text(ICINGA.format(dir=directory))
    return directory / "main.conf"


@pytest.mark.skipif(os.getuid() != 0, reason="a mount namespace wants root")
def test_icinga_reads_the_file(path):
    command = icinga()
    main = icinga_files(path, URL)
    call(*command, "-C", "-c", main)
    text = (path / "icinga2.conf").read_text()
    (path / "icinga2.conf").write_text(text.replace("skip_key", "skip_keys", 1).replace("check_command", "check_commands"))
    call(*command, "-C", "-c", main, status=1)


@pytest.mark.skipif(os.getuid() != 0, reason="a mount namespace wants root")
def test_icinga(path):
    command = icinga()
    sock, port = unused_port()
    sock.close()

    def seen(state):
        files = sorted(path.glob("perfdata.[0-9]*"))
        lines = [line.split("|") for f in files for line in f.read_text().splitlines()]
        lines = [line for line in lines if len(line) == 3 and line[0] == state]
        return lines and lines[-1]

    main = icinga_files(path, "ws://127.0.0.1:%d/" % port)
    with open(path / "out", "wb") as out, daemon(*command, "-c", main, stdout=out, stderr=out, cwd=path) as p:
        _, output, _ = until(lambda: seen("CRITICAL"), p)
        assert output.startswith("WEBSOCKET CRITICAL - ") and "refused" in output
        with Server(echo, port=port):
            _, output, perfdata = until(lambda: seen("OK"), p)
    assert re.fullmatch(r"time=\d+\.\d+s;1(\.0+)?;5(\.0+)?;0(\.0+)?;8(\.0+)?", perfdata.strip()), perfdata


# The others


@pytest.mark.skipif(os.getuid() != 0, reason="monit's file must belong to its user")
def test_monit(path):
    monit = found("monit")
    file = copy("monit.conf", path)
    file.chmod(0o600)
    assert "OK" in call(monit, "-t", "-c", file).stdout
    file.write_text(file.read_text().replace("then alert", "then alerts please"))
    call(monit, "-t", "-c", file, status=1)


def test_zabbix(path):
    agent = found("zabbix_agentd")
    config = path / "agent.conf"
    lines = ["Server=127.0.0.1", "LogFile=%s" % (path / "log"), "PidFile=%s" % (path / "pid"), "AllowRoot=1"]
    config.write_text("\n".join(lines + ["Include=%s" % (HERE / "zabbix.conf"), ""]))
    with Server(echo) as s:
        out = call(agent, "-c", config, "-t", "websocket.status[%s]" % s.url).stdout
        assert re.search(r"\[t\|0\]", out)
        out = call(agent, "-c", config, "-t", "websocket.answer[%s]" % s.url).stdout
        assert '"connection": true' in out


def test_systemd(path):
    analyze = found("systemd-analyze")
    for name in ("websocket-check.service", "websocket-check.timer"):
        copy(name, path)
    (path / "server.service").write_text("[Service]\nExecStart=/bin/sleep infinity\n")
    (path / "server.service.d").mkdir()
    copy("wait-for-websocket.conf", path / "server.service.d")
    units = [path / n for n in ("websocket-check.service", "websocket-check.timer", "server.service")]
    p = call(analyze, "verify", "--man=no", *units, status=None)
    if "Failed to initialize manager" in p.stderr or "No such file or directory: /sys" in p.stderr:
        pytest.skip("systemd-analyze does not work here: " + p.stderr.strip()[-200:])
    of_ours = [line for line in p.stderr.splitlines() if str(path) in line or "websocket" in line]
    assert not of_ours
    wrong = path / "websocket-check.service"
    wrong.write_text(wrong.read_text().replace("ExecStart=", "ExecStarts="))
    assert "ExecStarts" in call(analyze, "verify", "--man=no", wrong, status=None).stderr


def test_prometheus(path):
    """The file that cron makes is valid, and the node exporter shows it."""
    promtool, exporter = found("promtool"), found("prometheus-node-exporter")
    (line,) = cron_commands()
    with Server(echo) as s:
        execute(line, s.url, path)
    metrics = path / "websocket.prom"
    call(promtool, "check", "metrics", input=metrics.read_text())
    sock, port = unused_port()
    sock.close()
    args = ["--collector.disable-defaults", "--collector.textfile", "--collector.textfile.directory=%s" % path]
    with open(path / "out", "wb") as out:
        with daemon(exporter, *args, "--web.listen-address=127.0.0.1:%d" % port, stdout=out, stderr=out) as p:

            def scrape():
                with contextlib.suppress(OSError):
                    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
                    return opener.open("http://127.0.0.1:%d/metrics" % port, timeout=10).read().decode()
                return None

            page = until(scrape, p)
    assert 'probe_success{target="%s"} 1' % s.url in page
    assert "node_textfile_scrape_error 0" in page


def test_telegraf(path):
    telegraf = found("telegraf")
    with Server(echo) as s:
        out = call(telegraf, "--config", copy("telegraf.conf", path, s.url), "--test").stdout
    assert "state=0" in out and "websocket" in out


def test_consul(path):
    call(found("consul"), "validate", HERE / "consul.json")
