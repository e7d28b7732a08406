# SPDX-License-Identifier: ISC
"""contrib/keep/websocket_provider.py: with a stand-in for Keep's BaseProvider, the program and scripted servers."""

import importlib.util
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import types

import pytest
from conftest import ROOT, WSQUERY, check, needs
from servers import Server, echo, says, unused_port

FILE = ROOT / "contrib" / "keep" / "websocket_provider.py"

# Takes the place of wsquery: prints its arguments, the files that they name and its input as the data of an answer
RECORDER = """#!%s
import json, re, sys
def content(a):
    m = re.fullmatch(r"(--[a-z-]+=)@?(/dev/fd/[0-9]+)", a)
    return [m.group(1), open(m.group(2)).read()] if m else a
asked = {"args": [content(a) for a in sys.argv[1:]], "shown": sys.argv[1:]}
asked["stdin"] = sys.stdin.read() if "--data=@-" in sys.argv else None
print(json.dumps({"connection": True, "data": json.dumps(asked)}))
"""


class BaseProvider:
    """The part of Keep's class that the provider needs."""

    def __init__(self, context_manager, provider_id, config):
        self.config = config
        self.validate_config()

    def query(self, **kwargs):
        return self._query(**kwargs)


@pytest.fixture(scope="module")
def module():
    for name in ("keep", "keep.providers", "keep.providers.base", "keep.providers.base.base_provider"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["keep.providers.base.base_provider"].BaseProvider = BaseProvider
    spec = importlib.util.spec_from_file_location("websocket_provider", FILE)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture(params=["WebsocketProvider", "WsqueryProvider"])
def provider(module, monkeypatch, request):
    monkeypatch.setenv("WSQUERY", WSQUERY)
    for name in [n for n in os.environ if n.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    return getattr(module, request.param)(None, "id", types.SimpleNamespace(authentication={}))


@pytest.fixture
def recorded(module, monkeypatch, tmp_path):
    """recorded(...): what wsquery was asked for besides the URL, as the recorder saw it; or the sentence that refuses."""
    recorder = tmp_path / "recorder"
    recorder.write_text(RECORDER % sys.executable)
    recorder.chmod(0o755)
    monkeypatch.setenv("WSQUERY", str(recorder))
    made = module.WebsocketProvider(None, "id", types.SimpleNamespace(authentication={}))

    def ask(url="ws://h/", **options):
        answer = made.query(url, **options)
        if not answer["connection"]:
            return answer["error"]
        asked = json.loads(answer["data"])
        assert asked["args"].pop(0) == ["--from=", url + "\n"]
        return asked

    return ask


# What a query gives


def test_greeting(provider):
    with Server(says("hello")) as s:
        answer = provider.query(socket_url=s.url)
    assert answer == {"connection": True, "data": "hello"}
    check(answer)


def test_refused(provider):
    s, port = unused_port()
    with s:
        answer = provider.query("ws://127.0.0.1:%d/" % port, 5)
    assert answer == {
        "connection": False,
        "data": None,
        "error": "connect to 127.0.0.1:%d: Connection refused" % port,
    }
    check(answer)


def test_silent_server(provider):
    def silent(c):
        c.upgrade()
        c.recv_close()

    with Server(silent) as s:
        answer = provider.query(s.url, "1s")
    assert answer["connection"] is True and answer["data"] is None and "--check" in answer["error"]
    check(answer)


def test_details(provider):
    with Server(echo) as s:
        answer = provider.query(s.url, "5", "hello", details="true")
    assert answer["data"] == "hello" and answer["details"]["reason"] == "ok"
    check(answer)


@pytest.mark.parametrize(
    "data, want",
    [
        ("hello", "hello"),
        ("-n", "-n"),
        ("x" * 200_000, "x" * 200_000),
        ("täglich \u2028 \U0001f600", "täglich \u2028 \U0001f600"),
        ({"op": "ask", "of": {"list": [1, True, None, "ä"]}}, '{"op": "ask", "of": {"list": [1, true, null, "ä"]}}'),
        (5, "5"),
    ],
    ids=["text", "like an option", "200 KB", "UTF-8", "dict", "number"],
)
def test_data(provider, data, want):
    with Server(echo) as s:
        assert provider.query(s.url, 20, data) == {"connection": True, "data": want}


def test_binary(provider):
    with Server(echo) as s:
        answer = provider.query(s.url, 20, b"\xff\x00")
    assert answer == {"connection": True, "data": "/wA=", "encoding": "base64"}


def test_data_in_a_file(provider, tmp_path):
    file = tmp_path / "message"
    file.write_text("from a file")
    with Server(echo) as s:
        assert provider.query(s.url, 20, "@%s" % file)["data"] == "from a file"
        assert provider.query(s.url, 20, data_raw="@%s" % file)["data"] == "@%s" % file
    answer = provider.query("ws://127.0.0.1:9/", 20, "@%s/none" % tmp_path)
    assert not answer["connection"] and "No such file" in answer["error"]


@pytest.mark.parametrize("data", [None, "", b""])
def test_no_data(recorded, data):
    assert recorded(data=data)["args"] == []


@pytest.mark.parametrize("data", [True, object(), "\ud800"])
def test_wrong_data(recorded, data):
    assert recorded(data=data).startswith("the query was not made: ")


def test_steps(provider):
    with Server(echo) as s:
        answer = provider.query(s.url, "20", "token=7", expect="token=[0-9]+\nnever", fail_on="token", timeout_unknown=None)
    assert answer["connection"] and "--fail-on" in answer["error"]


# How options are passed on

# the option in a workflow, and what wsquery gets; a list is the name of a file and its content
MAPPED = [
    ({"timeout": 5}, ["--timeout=5"]),
    ({"timeout": 0.25}, ["--timeout=0.250000"]),
    ({"timeout": "500ms"}, ["--timeout=500ms"]),
    ({"header": ["X-A: 1", "X-B: 2"]}, [["--header=", "X-A: 1\nX-B: 2\n"]]),
    ({"header": {"X-A": "1", "X-B": 2, "X-C": None}}, [["--header=", "X-A: 1\nX-B: 2\n"]]),
    ({"header": "X-A: 1\nX-B: 2"}, [["--header=", "X-A: 1\nX-B: 2\n"]]),
    ({"header": "@/run/secrets/header"}, ["--header=@/run/secrets/header"]),
    ({"connection": "Connection: keep-alive, Upgrade"}, [["--header=", "Connection: keep-alive, Upgrade\n"]]),
    ({"connection": "Upgrade"}, [["--header=", "Connection: Upgrade\n"]]),
    ({"cookie": "a=b"}, [["--cookie=", "a=b"]]),
    ({"origin": "https://e.example"}, ["--origin=https://e.example"]),
    ({"origin": "https://e.example", "suppress_origin": "true"}, []),
    ({"origin": "https://e.example", "suppress_origin": False}, ["--origin=https://e.example"]),
    ({"suppress_origin": True}, []),
    ({"host": "v.example"}, ["--host=v.example"]),
    ({"subprotocols": ["a", "b"]}, ["--subprotocol=a", "--subprotocol=b"]),
    ({"subprotocols": "a, b"}, ["--subprotocol=a", "--subprotocol=b"]),
    ({"http_proxy_host": "p", "http_proxy_port": 3128}, [["--proxy=", "http://p:3128"]]),
    ({"http_proxy_host": "p", "http_proxy_auth": ("u", "p@:%")}, [["--proxy=", "http://u:p%40%3A%25@p"]]),
    ({"http_proxy_host": "p", "http_proxy_auth": "u:p:q"}, [["--proxy=", "http://u:p%3Aq@p"]]),
    ({"http_proxy_host": "::1", "http_proxy_port": "1080", "proxy_type": "socks5h"}, [["--proxy=", "socks5h://[::1]:1080"]]),
    ({"http_no_proxy": ["a", ".b"]}, ["--noproxy=a,.b"]),
    ({"http_no_proxy": "a, .b"}, ["--noproxy=a,.b"]),
    ({"http_proxy_timeout": 3}, ["--connect-timeout=3"]),
    ({"redirect_limit": 0}, ["--max-redirs=0"]),
    ({"skip_utf8_validation": True}, ["--no-utf8-check"]),
    ({"skip_utf8_validation": "false"}, []),
    ({"sslopt": {"ca_certs": "/ca", "ca_cert_path": "/d"}}, ["--cacert=/ca", "--capath=/d"]),
    ({"sslopt": {"certfile": "/c"}}, ["--cert=/c", "--key=/c"]),
    (
        {"sslopt": {"certfile": "/c", "keyfile": "/k", "password": "hush"}},
        ["--cert=/c", "--key=/k", ["--pass=", "hush"]],
    ),
    ({"sslopt": {"password": b"hush"}}, [["--pass=", "hush"]]),
    ({"sslopt": {"password": lambda: "hush"}}, [["--pass=", "hush"]]),
    ({"sslopt": {"cert_chain": ("/c", "/k", "hush")}}, ["--cert=/c", "--key=/k", ["--pass=", "hush"]]),
    ({"sslopt": {"cert_chain": ("/c", None, None)}}, ["--cert=/c", "--key=/c"]),
    ({"sslopt": {"cert_reqs": ssl.CERT_NONE}}, ["--insecure"]),
    ({"sslopt": {"cert_reqs": "CERT_NONE"}}, ["--insecure"]),
    ({"sslopt": {"cert_reqs": 0, "check_hostname": False}}, ["--insecure", "--no-check-hostname"]),
    ({"sslopt": {"cert_reqs": ssl.CERT_REQUIRED, "check_hostname": True}}, []),
    ({"sslopt": {"check_hostname": "false"}}, ["--no-check-hostname"]),
    ({"sslopt": {"server_hostname": "n"}}, ["--server-name=n"]),
    ({"sslopt": {"ssl_version": ssl.PROTOCOL_TLSv1_2}}, ["--tls-min=1.2", "--tls-max=1.2"]),
    ({"sslopt": {"ssl_version": "PROTOCOL_TLSv1_2"}}, ["--tls-min=1.2", "--tls-max=1.2"]),
    ({"sslopt": {"ssl_version": ssl.PROTOCOL_TLS_CLIENT}}, []),
    (
        {"sslopt": {"ciphers": "ECDHE-RSA-AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256"}},
        ["--ciphers=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_AES_128_GCM_SHA256"],
    ),
    ({"ciphers": "AES256-SHA, TLS1-3-AES-128-GCM-SHA256"}, ["--ciphers=TLS_RSA_WITH_AES_256_CBC_SHA,TLS1-3-AES-128-GCM-SHA256"]),
    ({"check": "true"}, ["--check"]),
    ({"ping": True, "retry": "2", "retry-delay": 0}, ["--ping", "--retry=2", "--retry-delay=0"]),
    ({"user": "me:hush"}, [["--user=", "me:hush"]]),
    ({"bearer": "@/run/secrets/token"}, ["--bearer=@/run/secrets/token"]),
    ({"resolve": ["h:80:127.0.0.1"]}, ["--resolve=h:80:127.0.0.1"]),
    ({"data": "x", "expect": ["a", "b"]}, ["--data=@-", "--expect=a", "--expect=b"]),
    ({"expect": "a(.)", "data_expand": "${1}"}, ["--expect=a(.)", "--data-expand=${1}"]),
    ({"data-expand": "two\nlines", "expect": "a\nb"}, ["--expect=a", "--data-expand=two\nlines", "--expect=b"]),
    ({"expect": ["a", "b"], "data_expand": ["1", "2"]}, ["--expect=a", "--data-expand=1", "--expect=b", "--data-expand=2"]),
    ({"expect": "a(.)", "data_expand": {"auth": {"is": "${1}"}}}, ["--expect=a(.)", '--data-expand={"auth": {"is": "${1}"}}']),
    ({"max_time": "2s"}, ["--max-time=2s"]),
    ({"ping": "true", "every": "0.5", "count": "5"}, ["--ping", "--every=0.5", "--count=5"]),
    ({"subprotocol": "a"}, ["--subprotocol=a"]),
    ({"data-raw": "@x"}, ["--data=@-"]),
    ({"fail-on": "a\nb"}, ["--fail-on=a", "--fail-on=b"]),
]

REFUSED = [
    ({"sockopt": ((1, 2, 3),)}, "sockopt: has no meaning here"),
    ({"socket": object()}, "socket: has no meaning here"),
    ({"class_": object}, "class_: has no meaning here"),
    ({"get_mask_key": print}, "get_mask_key: has no meaning here"),
    ({"dispatcher": object()}, "dispatcher: has no meaning here"),
    ({"enable_multithread": True}, "enable_multithread: has no meaning here"),
    ({"fire_cont_frame": False}, "fire_cont_frame: has no meaning here"),
    ({"suppress_host": True}, "suppress_host: has no meaning here"),
    ({"suppress_origin": False}, "no Origin is sent unless origin names it"),
    ({"format": "raw"}, "format: has no meaning here: the provider reads JSON"),
    ({"data_expand": "${1}"}, "data_expand: needs an expect of its own"),
    ({"expect": "a", "data_expand": ["1", "2"]}, "data_expand: needs an expect of its own"),
    ({"expect": "a", "data_expand": True}, "data_expand: must be a list"),
    ({"expect": True}, "expect: must be a list"),
    ({"timeout": 5, "max_time": 5}, "max_time: is the same as timeout"),
    ({"retry-delay": 1, "retry_delay": 2}, "retry_delay: was already given"),
    ({"label": "a=b"}, "label: has no meaning here: it is for Prometheus"),
    ({"follow": "true"}, "follow: has no meaning here: a query ends with one result"),
    ({"until": "x"}, "until: has no meaning here"),
    ({"lines": "true"}, "lines: has no meaning here"),
    ({"idle-timeout": "5"}, "idle_timeout: has no meaning here"),
    ({"from": "/list"}, "from: has no meaning here: a query asks one URL"),
    ({"jobs": "5"}, "jobs: has no meaning here"),
    ({"no_progress": "true"}, "no_progress: has no meaning here"),
    ({"output": "/f"}, "output: has no meaning here"),
    ({"help": "true"}, "help: has no meaning here"),
    ({"proxy_type": "socks5"}, "proxy_type: has no meaning without http_proxy_host"),
    ({"http_proxy_host": "p", "proxy_type": "https"}, "proxy_type: must be http, socks4"),
    ({"http_proxy_host": "p", "http_proxy_auth": 5}, "http_proxy_auth: must be a user and a password"),
    ({"header": {"X-A": "1\r\nX-B: 2"}}, "X-A: a value must not hold a line break"),
    ({"header": ["X-A:"]}, "X-A: an empty header cannot be sent"),
    ({"header": 5}, "header: must be a list"),
    ({"check": "perhaps"}, "check: must be true or false"),
    ({"count": object()}, "count: must be a string or a number"),
    ({"origin": "a\0b"}, "origin: must not hold a NUL character"),
    ({"data": "a", "data_raw": "b"}, "data: cannot be combined with data_raw"),
    ({"timeuot": 5}, "timeuot: is not an option that is known here"),
    ({"sslopt": []}, "sslopt: must be a dict"),
    ({"sslopt": {"context": object()}}, "sslopt: context: has no meaning here"),
    ({"sslopt": {"ecdh_curve": "prime256v1"}}, "sslopt: ecdh_curve: has no meaning here"),
    ({"sslopt": {"do_handshake_on_connect": True}}, "do_handshake_on_connect: has no meaning here"),
    ({"sslopt": {"suppress_ragged_eofs": True}}, "suppress_ragged_eofs: has no meaning here"),
    ({"sslopt": {"ssl_version": "PROTOCOL_TLSv1"}}, "PROTOCOL_TLSv1 is not possible"),
    ({"sslopt": {"cert_reqs": 7}}, "cert_reqs: must be CERT_NONE or CERT_REQUIRED"),
    ({"sslopt": {"unheard": 1}}, "sslopt: unheard: is not an option"),
    ({"sslopt": {"ciphers": "HIGH:!aNULL"}}, "HIGH is not the name of one cipher suite"),
    ({"sslopt": {"ciphers": "ECDHE+AESGCM"}}, "ECDHE+AESGCM is not the name of one cipher suite"),
]


@pytest.mark.parametrize("options, want", MAPPED, ids=[str(n) for n in range(len(MAPPED))])
def test_mapped(recorded, options, want):
    asked = recorded(**options)
    assert isinstance(asked, dict), asked
    assert asked["args"] == want


@pytest.mark.parametrize("options, want", REFUSED, ids=[str(n) for n in range(len(REFUSED))])
def test_refused_options(recorded, options, want):
    sentence = recorded(**options)
    assert isinstance(sentence, str), "it was passed on: %s" % sentence
    assert sentence.startswith("the query was not made: ") and want in sentence


# The documentation of create_connection, of WebSocket.connect and of sslopt
DOCUMENTED = """class_ connection cookie dispatcher enable_multithread fire_cont_frame get_mask_key header host http_no_proxy
    http_proxy_auth http_proxy_host http_proxy_port http_proxy_timeout origin proxy_type redirect_limit skip_utf8_validation
    socket sockopt sslopt subprotocols suppress_host suppress_origin timeout"""
DOCUMENTED_SSL = """ca_cert_path ca_certs cert_chain cert_reqs certfile check_hostname ciphers context
    do_handshake_on_connect ecdh_curve keyfile password server_hostname ssl_version suppress_ragged_eofs"""


def test_every_documented_option():
    rows = [o for o, _ in MAPPED + REFUSED]
    assert set(DOCUMENTED.split()) <= {name for o in rows for name in o}
    ssl_rows = [o["sslopt"] for o in rows if "sslopt" in o]
    assert set(DOCUMENTED_SSL.split()) <= {name for o in ssl_rows for name in o}


def test_every_documented_option_is_in_the_manual():
    text = (FILE.parent / "README.md").read_text()
    missing = [n for n in (DOCUMENTED + " " + DOCUMENTED_SSL).split() if "`%s`" % n not in text]
    assert not missing


def test_workflow(recorded):
    """The provider understands the example's step. Its condition and its message have Keep's form."""
    yaml = pytest.importorskip("yaml")
    w = yaml.safe_load((FILE.parent / "websocket.yaml").read_text())["workflow"]
    (step,), (action,) = w["steps"], w["actions"]
    given = step["provider"]["with"]
    assert all(isinstance(v, str) for v in given.values()), "Keep drops what is not a string"
    assert recorded(given.pop("socket_url"), **given)["args"] == ["--timeout=5", "--check"]
    (condition,) = action["condition"]
    assert condition["assert"] == "{{ steps.%s.results.connection }} == False" % step["name"]
    assert "{{ steps.%s.results.error }}" % step["name"] in action["provider"]["with"]["message"]


def test_options_of_the_program(module):
    """Each name that is passed on unchanged is an option of the program."""
    text = subprocess.run([WSQUERY, "--help"], capture_output=True, text=True, check=True).stdout
    options = set(re.findall(r"--([a-z][a-z0-9-]+)", text))
    passed = module.FLAGS + module.VALUES + module.LISTS + module.SECRETS + module.OF_THEIR_OWN
    passed = {n.replace("_", "-") for n in passed}
    refused = {n.replace("_", "-") for n in module.NO_MEANING}
    assert passed <= options and not passed & refused
    assert options <= passed | refused, "neither passed on nor refused with a reason"


def test_what_has_no_meaning_is_refused_with_its_reason(module, recorded):
    for name, why in module.NO_MEANING.items():
        for given in (name, name.replace("_", "-")):
            assert recorded(**{given: "1"}) in [
                "the query was not made: %s: has no meaning here: %s" % (n, why) for n in (name, given)
            ]


def test_a_dialogue(provider):
    def script(c):
        c.upgrade()
        assert c.recv_message()[1] == b"login"
        c.text("token=t7")
        assert c.recv_message()[1] == b'{"auth": {"token": "t7"}}'
        c.text("welcome").finish()

    with Server(script) as s:
        answer = provider.query(s.url, 20, "login", expect="token=(.*)", data_expand={"auth": {"token": "${1}"}})
        assert answer == {"connection": True, "data": "welcome"}


def test_secrets_are_not_shown(recorded):
    secrets = {"cookie": "a=hush", "user": "me:hush", "header": {"Authorization": "hush"}, "sslopt": {"password": "hush"}}
    secrets.update(http_proxy_host="p", http_proxy_auth=("me", "hush"), data="hush")
    asked = recorded(**secrets)
    assert "hush" not in " ".join(asked["shown"])
    assert str(asked["args"]).count("hush") == 5 and asked["stdin"] == "hush"


def test_secrets_in_the_url(recorded):
    asked = recorded("wss://me:hush@h/?token=hush")
    assert asked["args"] == [] and "hush" not in " ".join(asked["shown"])


@pytest.mark.parametrize("url", ["", " ", "#", "ws://127.0.0.1:9/\nws://127.0.0.1:9/", "ws://h/\r", None, 5.5, "ws://h/\0"])
def test_wrong_url(provider, url):
    answer = provider.query(url)
    check(answer)
    assert not answer["connection"] and answer["error"]


def test_login_in_the_url_arrives(provider):
    with Server(says("a")) as s:
        assert provider.query(s.url.replace("//", "//me:hush@"), 20)["connection"]
        assert dict(s.conn.headers)["authorization"] == "Basic bWU6aHVzaA=="


def test_secrets_arrive(provider):
    with Server(says("a")) as s:
        answer = provider.query(s.url, 20, user="me:hush", cookie="c=d", header={"X-Key": "k"}, origin="http://o.example")
        assert answer == {"connection": True, "data": "a"}
        headers = dict(s.conn.headers)
    assert headers["authorization"] == "Basic bWU6aHVzaA=="
    assert (headers["cookie"], headers["x-key"], headers["origin"]) == ("c=d", "k", "http://o.example")


@needs("proxies")
def test_proxy(provider):
    def connect(c):
        c.read_request()
        c.refuse("407 Proxy Authentication Required")

    with Server(connect) as s:
        answer = provider.query("ws://h.example/", 20, http_proxy_host="127.0.0.1", http_proxy_port=s.port, http_proxy_auth=("u", "p"))
        headers = dict(s.conn.headers)
    assert not answer["connection"] and "407" in answer["error"]
    assert headers["proxy-authorization"] == "Basic dTpw"


@needs("tls")
def test_ciphers_of_openssl(module):
    """The provider translates every cipher suite name of TLS 1.2 as OpenSSL does."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    text = subprocess.run(
        ["openssl", "ciphers", "-stdname", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"], capture_output=True, text=True, check=True
    ).stdout
    pairs = [(w[2], w[0]) for w in (line.split() for line in text.splitlines()) if "_WITH_" in w[0]]
    assert len(pairs) > 100
    wrong = [(name, iana, module.iana_of(name)) for name, iana in pairs if module.iana_of(name) != iana]
    assert not wrong


@needs("tls")
def test_ciphers_reach_the_program(provider):
    s, port = unused_port()
    with s:
        for name in ("ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305", "DHE-RSA-AES256-SHA256"):
            answer = provider.query("wss://127.0.0.1:%d/" % port, 20, sslopt={"ciphers": name})
            assert "Connection refused" in answer["error"]


# What a server says must not become a program: Keep evaluates keep.NAME(...) in the messages that it renders


@pytest.mark.parametrize(
    "text, want",
    [
        ("keep.len([1])", "keep. len([1])"),
        ("a keep.first(keep.split('a b', ' '))", "a keep. first(keep. split('a b', ' '))"),
        ("ends with keep.len", "ends with keep. len"),
        ("connect to keep.example.com:80", "connect to keep.example.com:80"),
        ("upkeep.len(1)", "upkeep.len(1)"),
    ],
)
def test_harmless(provider, text, want):
    with Server(says(text)) as s:
        assert provider.query(s.url, 20)["data"] == want

    def refuse(c):
        c.refuse("403 " + text)

    with Server(refuse) as s:
        answer = provider.query(s.url, 20, details="true")
    assert "403" in answer["error"] and not re.search(r"\bkeep\.\w+\(", json.dumps(answer))


# When there is no answer


@pytest.mark.parametrize(
    "script, want",
    [
        (None, "cannot run wsquery"),
        ("echo oops >&2; exit 5", "status 5 and without an answer: oops"),
        ("kill -9 $$", "status -9 and without an answer: it said nothing"),
        ("echo '[1]'", "an answer that is not an object"),
        ("echo '{'", "without an answer"),
    ],
)
def test_program_fails(provider, monkeypatch, tmp_path, script, want):
    program = tmp_path / "program"
    if script:
        program.write_text("#!/bin/sh\n" + script)
        program.chmod(0o755)
    monkeypatch.setenv("WSQUERY", str(program))
    answer = provider.query("ws://127.0.0.1:9/", data="x" * 100_000)
    assert want in answer["error"]
    check(answer)


def test_wrong_command_line(provider):
    answer = provider.query("ws://127.0.0.1:9/", "soon")
    assert "status 64" in answer["error"] and "soon" in answer["error"]
    check(answer)


def test_names(module):
    """Keep finds the classes by these names, and the arguments by the method's signature."""
    import inspect

    for name in ("Websocket", "Wsquery"):
        provider = getattr(module, name + "Provider")
        assert "_query" in provider.__dict__
        arguments = list(inspect.signature(provider.__dict__["_query"]).parameters)
        assert arguments[:4] == ["self", "socket_url", "timeout", "data"]
        getattr(module, name + "ProviderAuthConfig")()
