# SPDX-License-Identifier: ISC
"""contrib/container: its files are well formed, and each command of a health check or a probe is run unchanged."""

import json
import re
import subprocess

import pytest
from conftest import ROOT, run
from servers import Server, echo, sends, unused_port

HERE = ROOT / "contrib" / "container"
URL = "ws://127.0.0.1:8080/"


def load(name):
    return pytest.importorskip("yaml").safe_load((HERE / name).read_text())


def health_of_dockerfile():
    text = (HERE / "Dockerfile.service").read_text()
    return json.loads(re.search(r"^HEALTHCHECK (?:--\S+ )*CMD (\[.*\])$", text, re.MULTILINE).group(1))


def health_of_compose():
    test = load("compose.yaml")["services"]["service"]["healthcheck"]["test"]
    assert test[0] == "CMD"
    return test[1:]


def pod():
    return load("kubernetes.yaml")["spec"]["template"]["spec"]["containers"][0]


def probe(kind):
    return pod()[kind]["exec"]["command"]


COMMANDS = {
    "Dockerfile.service": health_of_dockerfile,
    "compose.yaml": health_of_compose,
    "startupProbe": lambda: probe("startupProbe"),
    "readinessProbe": lambda: probe("readinessProbe"),
    "livenessProbe": lambda: probe("livenessProbe"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_health_check(name):
    """The check succeeds with a server, and fails without a server and with a silent one."""
    command = COMMANDS[name]()
    assert command[0] == "/wsquery" and command.count(URL) == 1

    def ask(port, **kw):
        return run(*[a.replace(":8080", ":%d" % port) for a in command[1:]], **kw)

    with Server(echo) as s:
        ask(s.port, status=0)
    sock, port = unused_port()
    with sock:
        ask(port, status=1)
    with Server(sends()) as s:
        ask(s.port, status=0 if "--check" in command else 3)


def test_probes_end_before_kubernetes_ends_them():
    for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
        command = probe(kind)
        assert float(command[command.index("-t") + 1]) < pod()[kind].get("timeoutSeconds", 1)


def test_health_checks_end_before_docker_ends_them():
    check = load("compose.yaml")["services"]["service"]["healthcheck"]
    for command, limit in (check["test"][1:], check["timeout"]), (health_of_dockerfile(), "5s"):
        assert float(command[command.index("-t") + 1]) < float(limit.rstrip("s"))
    assert "--timeout=5s" in (HERE / "Dockerfile.service").read_text()


def test_compose():
    """The client waits until the service is healthy, and its command is a valid one of wsquery."""
    services = load("compose.yaml")["services"]
    assert services["client"]["depends_on"] == {"service": {"condition": "service_healthy"}}
    with Server(echo) as s:
        command = services["client"]["command"]
        run(*[a.replace("service:8080", s.hostport) for a in command], "-t", "1", status=3)


def test_dockerfiles():
    """Both Dockerfiles end with an empty image, the user is not root, and the files that they copy exist."""
    for name in ("Dockerfile", "Dockerfile.service"):
        lines = [line for line in (HERE / name).read_text().splitlines() if line and not line.startswith("#")]
        last = max(i for i, line in enumerate(lines) if line.startswith("FROM "))
        assert lines[last] == "FROM scratch" and "USER 1000:1000" in lines[last:]
        assert re.fullmatch(r'ENTRYPOINT \["/\w+"\]', lines[-1])
    built = re.search(r"COPY --from=build /src/(\S+) /wsquery", (HERE / "Dockerfile").read_text()).group(1)
    rules = subprocess.run(["make", "-n", "static"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert built in rules or (ROOT / built).exists()
