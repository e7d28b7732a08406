# SPDX-License-Identifier: ISC
"""contrib/keep in Keep itself: its engine (keep run) and its server (keep api), with a loopback server for Slack.

Run by .ci/run, which installs Keep in a virtual environment and names it in KEEP_ENV; `make test` runs test_keep.py.
The commands of contrib/keep/README.md install the provider. The tests run in their order, since the last ones change
what is installed.
"""

import contextlib
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request

import pytest
from conftest import ROOT, WSQUERY
from servers import Server, echo, says, unused_port

HERE = ROOT / "contrib" / "keep"
ENV = pathlib.Path(os.environ.get("KEEP_ENV", "/nonexistent"))
LIMIT = 240  # seconds for anything that Keep does

pytestmark = pytest.mark.skipif(not (ENV / "bin" / "keep").exists(), reason="Keep is not installed (KEEP_ENV)")


def installing(part):
    """The commands of README.md in the paragraph that begins with part."""
    text = (HERE / "README.md").read_text()
    return re.search(re.escape(part) + r".*?```sh\n(.*?)```", text, re.DOTALL).group(1)


def install(part, cwd):
    path = "%s:%s" % (ENV / "bin", os.environ["PATH"])
    subprocess.run(["sh", "-eu", "-c", installing(part)], cwd=cwd, env=dict(os.environ, PATH=path), check=True)


@pytest.fixture(scope="module")
def beside(tmp_path_factory):
    """Our provider has its own name, and Keep's provider stays."""
    directory = tmp_path_factory.mktemp("install")
    shutil.copy(HERE / "websocket_provider.py", directory)
    install("As an additional provider", directory)
    yield directory
    shutil.rmtree(next(ENV.glob("lib/*/site-packages/keep/providers/wsquery_provider")))


@pytest.fixture(scope="module")
def in_place(beside):
    install("Instead of Keep's provider", beside)
    yield beside
    install("To go back", beside)
    text = next(ENV.glob("lib/*/site-packages/keep/providers/websocket_provider/websocket_provider.py")).read_text()
    assert "create_connection" in text and "wsquery" not in text


class Slack:
    """Keeps the text of each message that is posted to it."""

    def __init__(self):
        slack = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                slack.texts.append(body["text"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args):
                pass

        self.texts = []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d/" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def slack():
    s = Slack()
    yield s
    s.server.shutdown()
    s.server.server_close()


def environment(directory, slack=None, **more):
    """Keep's environment: it writes only into directory, and its telemetry is off."""
    env = {
        "PATH": "%s:/usr/bin:/bin" % (ENV / "bin"),
        "HOME": str(directory),
        "LC_ALL": "C.UTF-8",
        "WSQUERY": WSQUERY,
        "DATABASE_CONNECTION_STRING": "sqlite:///%s/keep.db" % directory,
        "SECRET_MANAGER_TYPE": "FILE",
        "SECRET_MANAGER_DIRECTORY": str(directory),
        "STORAGE_MANAGER_DIRECTORY": str(directory),
        "PUSHER_DISABLED": "true",
        "DISABLE_POSTHOG": "true",
        "https_proxy": "http://127.0.0.1:9",
        "no_proxy": "127.0.0.1,localhost",
        "KEEP_API_KEY": "none",
        "KEEP_API_URL": "http://127.0.0.1:9",
    }
    if slack:
        env["KEEP_PROVIDERS"] = json.dumps({"slack-demo": {"authentication": {"webhook_url": slack.url}}})
    return dict(env, **more)


def example(kind, port, name="check-websocket-is-up", seconds=1):
    """websocket.yaml for a provider of this type, a port and an interval."""
    text = (HERE / "websocket.yaml").read_text()
    for old, new in [
        ("type: websocket\n", "type: %s\n" % kind),
        ("127.0.0.1:8080", "127.0.0.1:%d" % port),
        ("value: 30", "value: %d" % seconds),
        ("id: check-websocket-is-up", "id: " + name),
    ]:
        assert old in text
        text = text.replace(old, new)
    if kind == "keep's":  # its own provider accepts neither
        text = text.replace("type: keep's", "type: websocket")
        text = text.replace('          timeout: "5"\n', "").replace('          check: "true"\n', "")
    return text


def until(condition, running):
    """Waits for condition() while a process runs."""
    end = time.monotonic() + LIMIT
    while not condition():
        assert running.poll() is None, "Keep has ended"
        assert time.monotonic() < end, "Keep took more than %d s" % LIMIT
        time.sleep(0.2)


@contextlib.contextmanager
def keep(directory, *args, **env):
    """A process of Keep; its output is in directory/log."""
    with open(directory / "log", "wb") as log:
        p = subprocess.Popen(
            [str(ENV / "bin" / "keep")] + list(args),
            cwd=directory,
            env=environment(directory, **env),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            yield p
        except BaseException:
            print((directory / "log").read_text(errors="replace")[-5000:])
            raise
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(p.pid, signal.SIGKILL)
            p.wait()


# What README.md says about workflows

def workflow(kind="wsquery", url="ws://127.0.0.1:9/", shown="{{ steps.s.results.data }}", test=None, **given):
    action = {"name": "a", "provider": {"type": "console", "with": {"alert_message": "ALERT " + shown}}}
    if test:
        action["condition"] = [{"name": "c", "type": "assert", "assert": test}]
    step = {"name": "s", "provider": {"type": kind, "with": dict(given, socket_url=url)}}
    return {"id": "w", "steps": [step], "actions": [action]}


def rows(directory, workflows, **env):
    """What each workflow printed, and the error that it raised, in Keep's engine."""
    file = directory / "rows.json"
    file.write_text(json.dumps(workflows))
    p = subprocess.run(
        [str(ENV / "bin" / "python"), str(ROOT / "test" / "cli" / "keep_rows.py"), str(file)],
        cwd=directory,
        env=environment(directory, **env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=LIMIT,
        check=False,
    )
    assert p.returncode == 0, p.stderr.decode()[-5000:]
    return json.loads(p.stdout.decode().splitlines()[-1])


def test_conditions(beside, tmp_path):
    connection = "{{ steps.s.results.connection }} == "
    failure = workflow()
    failure["on-failure"] = {"provider": {"type": "console"}}
    s, port = unused_port()
    with s, Server(says("hello")) as up:
        down = "ws://127.0.0.1:%d/" % port
        reason = "'{{ steps.s.results.details.reason }}' != 'ok'"
        w = {"on-failure": failure}
        for state, url in ("down", down), ("up", up.url):
            for word in ("true", "True", "False"):
                w[word + " " + state] = workflow(url=url, test=connection + word, shown="")
            w["reason " + state] = workflow(url=url, test=reason, shown="", details="true")
        w["error"] = workflow(url=up.url, shown="{{ steps.s.results.error }}")
        found = rows(tmp_path, w)
    assert found["on-failure"]["error"].startswith("AttributeError")
    alerts = {name for name, r in found.items() if r["alerts"]}
    assert alerts == {"True up", "False down", "reason down"}


def test_values(beside, tmp_path):
    recorder = tmp_path / "recorder"
    recorder.write_text(
        "#!%s\nimport json, sys\nd = ' '.join(sys.argv[2:] + ['--', open(sys.argv[1].split('=')[1]).read().strip()])\n"
        "d += '<' + sys.stdin.read() if '--data=@-' in sys.argv else ''\n"
        "print(json.dumps({'connection': True, 'data': d}))\n" % sys.executable
    )
    recorder.chmod(0o755)
    w = {
        "plain": workflow(timeout=5, check=True, subprotocols=["a"]),
        "strings": workflow(timeout="5", check="true", subprotocols="a, b"),
        "mapping": workflow(sslopt={"cert_reqs": 0, "check_hostname": False}),
        "brackets": workflow(url="ws://[::1]:9/"),
        "braces": workflow(data='{"a": {"b": 1}}'),
        "parentheses": workflow(data="a :("),
        "JSON": workflow(data={"a": {"b": [1, "x"]}}, shown="{{{ steps.s.results.data }}}"),
        "HTML": workflow(data_raw='"', shown="{{ steps.s.results.data }} or {{{ steps.s.results.data }}}"),
        "dialogue": workflow(expect="token=(.*)", data_expand={"auth": {"token": "${1}"}}, shown="{{{ steps.s.results.data }}}"),
        "own": workflow(kind="websocket", timeout="5"),
    }
    found = rows(tmp_path, w, WSQUERY=str(recorder))
    ends = {name: r["alerts"][0][len("ALERT ") :] if r["alerts"] else r["error"] for name, r in found.items()}
    assert ends["plain"] == "-- ws://127.0.0.1:9/"
    assert ends["strings"] == "--timeout=5 --subprotocol=a --subprotocol=b --check -- ws://127.0.0.1:9/"
    assert ends["mapping"] == "--insecure --no-check-hostname -- ws://127.0.0.1:9/"
    assert ends["brackets"] == "-- ws://.::1:9/"
    assert "Invalid template" in ends["braces"] and "Invalid template" in ends["parentheses"]
    assert ends["JSON"] == '--data=@- -- ws://127.0.0.1:9/<{"a": {"b": [1, "x"]}}'
    assert "&lt;&quot; or --data" in ends["HTML"] and ends["HTML"].endswith('<"')
    assert ends["dialogue"] == '--expect=token=(.*) --data-expand={"auth": {"token": "${1}"}} -- ws://127.0.0.1:9/'
    assert "cannot be interpreted as an integer" in ends["own"]


def test_text_of_the_server_is_not_run(beside, tmp_path):
    """Keep runs keep.NAME(...) as Python. Our provider does not let it reach Keep."""

    def creates(path):
        return "keep.len([open(''.join(map(chr,[%s])),chr(119))])" % ",".join(str(b) for b in os.fsencode(path))

    theirs, ours = creates(tmp_path / "theirs"), creates(tmp_path / "ours")
    with Server(says(theirs)) as s, Server(says(ours)) as t:
        w = {"theirs": workflow(kind="websocket", url=s.url), "ours": workflow(kind="wsquery", url=t.url)}
        found = rows(tmp_path, w)
    assert (tmp_path / "theirs").exists() and not (tmp_path / "ours").exists(), found
    assert found["ours"]["alerts"] == ["ALERT " + ours.replace("keep.len", "keep. len")]


# Five scheduled runs


def test_keep_run(beside, tmp_path, slack):
    s, port = unused_port()
    (tmp_path / "w.yaml").write_text(example("wsquery", port))
    with s, keep(tmp_path, "run", "--alerts-file", "w.yaml", slack=slack) as p:
        until(lambda: len(slack.texts) >= 5, p)
    want = "Could not connect to ws://127.0.0.1:%d/: connect to 127.0.0.1:%d: Connection refused" % (port, port)
    assert set(slack.texts) == {want}


def executions(directory):
    """The status and the error of each execution that has ended, by the workflow's name."""
    found = {}
    with contextlib.closing(sqlite3.connect("file:%s/keep.db?mode=ro" % directory, uri=True)) as db:
        rows = db.execute(
            "select w.name, e.status, e.error from workflowexecution e join workflow w on w.id = e.workflow_id"
            " where e.status != 'in_progress'"
        )
        for name, status, error in rows:
            found.setdefault(name, []).append((status, error))
    return found


def post_workflow(port, text):
    boundary = "of-the-test"
    body = '--%s\r\nContent-Disposition: form-data; name="file"; filename="w.yaml"\r\n\r\n%s\r\n--%s--\r\n'
    request = urllib.request.Request(
        "http://127.0.0.1:%d/workflows" % port,
        (body % (boundary, text, boundary)).encode(),
        {"Content-Type": "multipart/form-data; boundary=" + boundary, "X-API-KEY": "none"},
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=LIMIT) as answer:
        assert answer.status in (200, 201)


def serves(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def scheduled(directory, slack, workflows):
    """Runs Keep's server until each workflow has been executed five times."""
    s, port = unused_port()
    s.close()
    env = {"PORT": str(port), "KEEP_HOST": "127.0.0.1", "SCHEDULER": "true", "CONSUMER": "false"}
    env["KEEP_API_URL"] = "http://127.0.0.1:%d" % port
    with keep(directory, "api", slack=slack, **env) as p:
        until(lambda: serves(port), p)
        for text in workflows:
            post_workflow(port, text)
        until(lambda: sorted(len(e) >= 5 for e in executions(directory).values()) == [True] * len(workflows), p)
        return executions(directory)


def test_server_beside(beside, tmp_path, slack):
    """Keep's own provider: errors and no alert. Ours: as many alerts as runs."""
    s, port = unused_port()
    with s:
        found = scheduled(tmp_path, slack, [example("keep's", port, "theirs"), example("wsquery", port, "ours")])
    assert {status for status, _ in found["theirs"]} == {"error"}
    assert all("Connection refused" in error for _, error in found["theirs"])
    assert {status for status, _ in found["ours"]} == {"success"}
    assert len(slack.texts) in (len(found["ours"]), len(found["ours"]) + 1)  # one may be under way
    want = "Could not connect to ws://127.0.0.1:%d/: connect to 127.0.0.1:%d: Connection refused" % (port, port)
    assert set(slack.texts) == {want}


def test_server_in_place(in_place, tmp_path, slack):
    """The type websocket is ours now. A server that is up makes no alert."""
    s, port = unused_port()
    with s, Server(echo) as up:
        found = scheduled(tmp_path, slack, [example("websocket", port, "down"), example("websocket", up.port, "up")])
        assert len(up.conns) >= 5
    assert {status for name in found for status, _ in found[name]} == {"success"}
    assert len(slack.texts) in (len(found["down"]), len(found["down"]) + 1)
    assert all(text.endswith("connect to 127.0.0.1:%d: Connection refused" % port) for text in slack.texts)
