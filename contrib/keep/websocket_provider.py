# SPDX-License-Identifier: ISC
"""A provider for Keep that asks a WebSocket server with wsquery.

Installed as keep/providers/websocket_provider/websocket_provider.py it takes the place of Keep's own provider.
Installed as keep/providers/wsquery_provider/wsquery_provider.py it adds the type "wsquery" to Keep's own.
README.md in this directory explains both.

Every query gives a dict with "connection", "data" and, if something failed, "error". A wrong option is such a failure
too, because Keep shows an exception only in its log and sends no alert. The program is found in PATH, or the
environment variable WSQUERY names it.
"""

import dataclasses
import json
import logging
import os
import re
import ssl
import subprocess
import tempfile
from urllib.parse import quote

from keep.providers.base.base_provider import BaseProvider

logger = logging.getLogger(__name__)


class Wrong(Exception):
    """An option cannot be passed on. The text says which one, why, and what to write instead."""


# Options of wsquery, under the name that a workflow uses; "_" replaces "-" of the command line
FLAGS = ("binary", "check", "ping", "ipv4", "ipv6", "insecure", "no_check_hostname", "no_utf8_check", "details")
VALUES = (
    "count", "every", "max_time", "connect_timeout", "close_timeout", "retry", "retry_delay", "wait", "max_message", "user_agent",
    "max_redirs", "noproxy", "unix_socket", "interface", "keepalive", "cacert", "capath", "cert", "key", "server_name",
    "tls_min", "tls_max", "pinnedpubkey", "cert_expiry",
)  # fmt: skip
LISTS = ("fail_on", "resolve")
OF_THEIR_OWN = ("timeout", "data", "data_raw", "data_expand", "expect", "header", "cookie", "origin", "host", "subprotocol", "ciphers")
SECRETS = ("user", "bearer", "pass", "proxy")  # @FILE reads them from a file

# Options of the Python package websocket-client that keep their meaning
SAME_VALUES = {"origin": "origin", "host": "host", "redirect_limit": "max_redirs", "http_proxy_timeout": "connect_timeout"}
SAME_FLAGS = {"skip_utf8_validation": "no_utf8_check"}

ONE_RESULT = "a query ends with one result; count receives several messages"
ONE_URL = "a query asks one URL; make a step for each"
INSTEAD = "it prints something else than a result"
OTHER_PROCESS = "wsquery is a process of its own, and nothing of this one can be handed to it"
NO_MEANING = {
    "sockopt": OTHER_PROCESS + "; interface and keepalive set what they say",
    "socket": OTHER_PROCESS + "; unix_socket names a Unix socket",
    "class_": OTHER_PROCESS,
    "get_mask_key": OTHER_PROCESS + "; masks always come from the system's random numbers",
    "dispatcher": OTHER_PROCESS,
    "enable_multithread": OTHER_PROCESS + "; any thread may make a query",
    "fire_cont_frame": "a message is always received as a whole",
    "suppress_host": "HTTP/1.1 demands the Host header; host sets it",
    "ping_interval": "a query makes one connection and ends it; ping sends one ping, with every and count several",
    "ping_timeout": "timeout covers the ping too",
    "ping_payload": "a ping has a payload of its own; ping sends one",
    "follow": ONE_RESULT,
    "until": ONE_RESULT + "; expect waits for one that matches",
    "lines": ONE_RESULT + "; data_expand answers a message",
    "idle_timeout": ONE_RESULT + "; timeout covers all of it",
    "from": ONE_URL,
    "jobs": ONE_URL,
    "no_progress": ONE_URL,
    "help": INSTEAD,
    "version": INSTEAD,
    "completion": INSTEAD,
    "output": "the provider reads the output",
    "label": "it is for Prometheus",
    "format": "the provider reads JSON",
    "quiet": "the provider reads the output",
    "verbose": "the provider reads the output; details says what happened",
    "warning": "it is for Nagios; compare details.timings_ms.total in the workflow",
    "critical": "it is for Nagios; compare details.timings_ms.total in the workflow",
}
SSL_FILES = {
    "ca_certs": "cacert", "ca_cert": "cacert", "ca_cert_path": "capath", "certfile": "cert", "keyfile": "key",
    "server_hostname": "server_name",
}  # fmt: skip
SSL_NO_MEANING = {
    "context": OTHER_PROCESS,
    "ecdh_curve": "the curves cannot be chosen",
    "do_handshake_on_connect": "the handshake always follows the connection",
    "suppress_ragged_eofs": "an end without TLS's own is always an error",
}


# Values of a workflow. Keep passes on only strings and dicts, so each value may be a string


def words_of(name, value):
    """A string for the command line."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise Wrong("%s: must be a string or a number" % name)
    text = "%.6f" % value if isinstance(value, float) else str(value)
    if "\0" in text:
        raise Wrong("%s: must not hold a NUL character" % name)
    return text


def truth_of(name, value):
    text = str(value).strip().lower()
    if text in ("true", "yes", "on", "1"):
        return True
    if text in ("false", "no", "off", "0"):
        return False
    raise Wrong("%s: must be true or false" % name)


def list_of(name, value):
    """The elements; a string has one on each line."""
    if isinstance(value, str):
        value = [line for line in value.splitlines() if line.strip()]
    if not isinstance(value, (list, tuple)):
        raise Wrong("%s: must be a list, or a string with one element on each line" % name)
    return [words_of(name, v) for v in value]


def names_of(name, value):
    """Like list_of, but commas separate elements, too."""
    if isinstance(value, str):
        value = value.replace(",", "\n")
    return [v.strip() for v in list_of(name, value)]


def header_lines(value):
    """header as websocket-client takes it: a dict, or a list of lines."""
    if isinstance(value, dict):
        value = ["%s: %s" % (k, words_of("header", v)) for k, v in value.items() if v is not None]
    lines = list_of("header", value)
    for line in lines:
        field = line.split(":", 1)[0]
        if re.search(r"[\r\n]", line):
            raise Wrong("header: %s: a value must not hold a line break" % field)
        if ":" in line and not line.split(":", 1)[1].strip():
            raise Wrong("header: %s: an empty header cannot be sent" % field)
    return lines


def connection_line(value):
    text = words_of("connection", value)
    if text.lower().startswith("connection:"):
        text = text.split(":", 1)[1].strip()
    return "Connection: " + text


def proxy_url(options):
    """http_proxy_host and its companions as one URL; None without them."""
    given = {k: options.pop(k, None) for k in ("http_proxy_host", "http_proxy_port", "http_proxy_auth", "proxy_type")}
    host = given["http_proxy_host"]
    if not host:
        for name, value in given.items():
            if value is not None:
                raise Wrong("%s: has no meaning without http_proxy_host" % name)
        return None
    host = words_of("http_proxy_host", host)
    if ":" in host and not host.startswith("["):
        host = "[" + host + "]"
    scheme = words_of("proxy_type", given["proxy_type"] or "http")
    if scheme not in ("http", "socks4", "socks4a", "socks5", "socks5h"):
        raise Wrong("proxy_type: must be http, socks4, socks4a, socks5 or socks5h")
    login = login_of(given["http_proxy_auth"])
    port = ":" + words_of("http_proxy_port", given["http_proxy_port"]) if given["http_proxy_port"] else ""
    return scheme + "://" + login + host + port


def login_of(auth):
    """USER:PASSWORD@ for a URL. auth is a pair or a string."""
    if not auth:
        return ""
    pair = auth.split(":", 1) if isinstance(auth, str) else auth
    if not isinstance(pair, (list, tuple)) or not 1 <= len(pair) <= 2:
        raise Wrong("http_proxy_auth: must be a user and a password, or a string USER:PASSWORD")
    return ":".join(quote(words_of("http_proxy_auth", p), safe="") for p in pair if p is not None) + "@"


# Cipher suites: OpenSSL's names for TLS 1.2 follow rules

KEY_EXCHANGES = (
    "ECDHE-ECDSA", "ECDHE-RSA", "ECDHE-PSK", "DHE-RSA", "DHE-DSS", "DHE-PSK", "RSA-PSK", "PSK", "ADH", "AECDH", "SRP-DSS",
    "SRP-RSA", "SRP", "ECDHE",
)  # fmt: skip
IANA_EXCHANGES = {
    "ADH": "DH_anon", "AECDH": "ECDH_anon", "SRP": "SRP_SHA", "SRP-RSA": "SRP_SHA_RSA", "SRP-DSS": "SRP_SHA_DSS",
    "ECDHE": "ECDHE_RSA",
}  # fmt: skip
CIPHER = re.compile(
    r"(?:(AES|CAMELLIA|ARIA)-?(128|256)(?:-(GCM|CCM8|CCM|CBC))?|(CHACHA20-POLY1305)|(DES-CBC3)|(SEED)|(NULL))(?:-(SHA384|SHA256|SHA|MD5))?"
)


def iana_of(openssl):
    """The IANA name of the suite with this OpenSSL name; None if the name does not follow the rules."""
    exchange, rest = "RSA", openssl
    for known in KEY_EXCHANGES:
        if openssl.startswith(known + "-"):
            exchange, rest = known, openssl[len(known) + 1 :]
            break
    rest = re.sub(r"^(AES)-(128|256)-CBC", r"\1\2-CBC", rest)
    match = CIPHER.fullmatch(rest)
    if not match:
        return None
    block, bits, mode, chacha, des3, seed, null, digest = match.groups()
    if block and mode in ("CCM", "CCM8"):
        if digest:
            return None
        cipher = "%s_%s_%s" % (block, bits, mode.replace("CCM8", "CCM_8"))
    elif block:
        cipher = "%s_%s_%s_%s" % (block, bits, mode or "CBC", digest)
    elif chacha:
        cipher, digest = "CHACHA20_POLY1305_SHA256", "SHA256"
    elif null:
        cipher = "NULL_" + str(digest)
    else:
        cipher = "%s_%s" % ("3DES_EDE_CBC" if des3 else "SEED_CBC", digest)
    if not digest and mode not in ("CCM", "CCM8"):
        return None
    exchange = IANA_EXCHANGES.get(exchange, exchange.replace("-", "_"))
    if exchange == "DHE_PSK" and mode == "CCM8":  # the names of these two in RFC 6655
        exchange = "PSK_DHE"
    return "TLS_%s_WITH_%s" % (exchange, cipher)


def cipher_list(value):
    """A list for --ciphers. Names of IANA and mbedTLS are kept, those of OpenSSL are translated."""
    found = []
    for name in re.split(r"[:, \n]+", words_of("ciphers", value).strip()):
        if not name.upper().startswith("TLS"):
            iana = iana_of(name)
            if iana is None:
                raise Wrong(
                    "ciphers: %s is not the name of one cipher suite. Groups and rules of OpenSSL, as HIGH or !aNULL, are not"
                    " understood: name each suite, as ECDHE-RSA-AES128-GCM-SHA256" % name
                )
            name = iana
        found.append(name)
    return ",".join(found)


# The command


class Command:
    """A command line of wsquery. Secrets are in unnamed files, whose descriptors it inherits."""

    def __init__(self):
        self.args = []
        self.files = []

    def flag(self, name):
        self.args.append("--" + name.replace("_", "-"))

    def value(self, name, text):
        self.args.append("--%s=%s" % (name.replace("_", "-"), text))

    def in_file(self, text):
        """A file name under which only the child process can read text."""
        if hasattr(os, "memfd_create"):
            file = os.fdopen(os.memfd_create("wsquery"), "w+b")
        else:
            file = tempfile.TemporaryFile()
        self.files.append(file)
        file.write(text.encode())
        file.flush()
        file.seek(0)
        return "@/dev/fd/%d" % file.fileno()

    def secret(self, name, text):
        """A value that is not shown on the command line. @FILE names a file, as for wsquery."""
        if not text.startswith("@"):
            text = self.in_file(text)
        self.value(name, text)

    def run(self, stdin):
        """The exit status, standard output and standard error."""
        program = os.environ.get("WSQUERY") or "wsquery"
        p = subprocess.run(
            [program] + self.args,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            pass_fds=[f.fileno() for f in self.files],
            check=False,
        )
        return p.returncode, p.stdout, p.stderr.decode("utf-8", "replace").strip()

    def close(self):
        for f in self.files:
            f.close()


def add_headers(command, options):
    """header, cookie, connection and the rest of the request."""
    lines = []
    if options.get("header") is not None:
        header = options["header"]
        if isinstance(header, str) and header.startswith("@"):
            command.value("header", words_of("header", header))
        else:
            lines += header_lines(header)
    if options.get("connection") is not None:
        lines.append(connection_line(options["connection"]))
    if lines:
        command.value("header", command.in_file("\n".join(lines) + "\n"))
    if options.get("cookie") is not None:
        command.secret("cookie", words_of("cookie", options["cookie"]))
    for option in ("subprotocols", "subprotocol"):
        for name in names_of(option, options.get(option) or []):
            command.value("subprotocol", name)
    add_origin(options)
    for name in ("header", "connection", "cookie", "subprotocols", "subprotocol", "suppress_origin"):
        options.pop(name, None)


def add_origin(options):
    """Puts the Origin header that will be sent into options."""
    if options.get("suppress_origin") is None:
        return
    if truth_of("suppress_origin", options["suppress_origin"]):
        options.pop("origin", None)
    elif not options.get("origin"):
        raise Wrong("suppress_origin: is false, but no Origin is sent unless origin names it")


def add_proxy(command, options):
    url = proxy_url(options)
    if url is not None:
        command.secret("proxy", url)
    no_proxy = options.pop("http_no_proxy", None)
    if no_proxy is not None:
        command.value("noproxy", ",".join(names_of("http_no_proxy", no_proxy)))


def add_tls(command, options):
    """sslopt of websocket-client, and ciphers under either name."""
    ciphers = options.pop("ciphers", None)
    if ciphers is not None:
        command.value("ciphers", cipher_list(ciphers))
    sslopt = options.pop("sslopt", None)
    if sslopt is None:
        return
    if not isinstance(sslopt, dict):
        raise Wrong("sslopt: must be a dict")
    for name, value in sslopt.items():
        if value is not None:
            add_ssl_option(command, name, value, sslopt)


def add_ssl_option(command, name, value, sslopt):
    what = "sslopt: " + name
    if name in SSL_FILES:
        command.value(SSL_FILES[name], words_of(what, value))
        if name == "certfile" and not sslopt.get("keyfile"):
            command.value("key", words_of(what, value))
    elif name == "password":
        value = value() if callable(value) else value
        command.secret("pass", words_of(what, value.decode() if isinstance(value, bytes) else value))
    elif name == "cert_chain":
        if not isinstance(value, (list, tuple)) or len(value) != 3:
            raise Wrong(what + ": must be a certificate's file, a key's file and a passphrase")
        for part, v in zip(("certfile", "keyfile", "password"), value):
            if v is not None:
                add_ssl_option(command, part, v, {"keyfile": value[1]})
    elif name == "ciphers":
        command.value("ciphers", cipher_list(value))
    elif name == "cert_reqs":
        if str(value).rsplit(".", 1)[-1] in ("0", "CERT_NONE"):
            command.flag("insecure")
        elif str(value).rsplit(".", 1)[-1] not in ("1", "2", "CERT_OPTIONAL", "CERT_REQUIRED"):
            raise Wrong(what + ": must be CERT_NONE or CERT_REQUIRED")
    elif name == "check_hostname":
        if not truth_of(what, value):
            command.flag("no_check_hostname")
    elif name == "ssl_version":
        add_ssl_version(command, what, value)
    elif name in SSL_NO_MEANING:
        raise Wrong("%s: has no meaning here: %s" % (what, SSL_NO_MEANING[name]))
    else:
        raise Wrong("%s: is not an option that is known here" % what)


def add_ssl_version(command, what, value):
    """A constant of Python's module ssl, its name or its number."""
    named = {str(int(getattr(ssl, n))): n for n in dir(ssl) if n.startswith("PROTOCOL_")}
    name = str(value).rsplit(".", 1)[-1]
    name = named.get(str(int(value)) if isinstance(value, int) else name, name)
    if name == "PROTOCOL_TLSv1_2":
        command.value("tls_min", "1.2")
        command.value("tls_max", "1.2")
    elif name not in ("PROTOCOL_TLS", "PROTOCOL_TLS_CLIENT", "PROTOCOL_SSLv23"):
        raise Wrong("%s: %s is not possible: TLS 1.2 and 1.3 are; tls_min and tls_max choose" % (what, name))


def add_option(command, name, value):
    """An option of wsquery with its own name."""
    plain = name.replace("-", "_")
    if name in NO_MEANING or plain in NO_MEANING:
        raise Wrong("%s: has no meaning here: %s" % (name, NO_MEANING.get(name) or NO_MEANING[plain]))
    plain = SAME_VALUES.get(plain, SAME_FLAGS.get(plain, plain))
    if plain in FLAGS:
        if truth_of(name, value):
            command.flag(plain)
    elif plain in VALUES or plain in ("origin", "host"):
        command.value(plain, words_of(name, value))
    elif plain in SECRETS:
        command.secret(plain, words_of(name, value))
    elif plain in LISTS:
        for v in list_of(name, value):
            command.value(plain, v)
    else:
        raise Wrong("%s: is not an option that is known here" % name)


def data_steps(command, data, raw):
    """The standard input: the message, of any length."""
    if data in (None, "", b"") and raw in (None, "", b""):
        return None
    if data not in (None, "", b"") and raw not in (None, "", b""):
        raise Wrong("data: cannot be combined with data_raw")
    message = raw if raw else data
    if isinstance(message, str) and message.startswith("@") and not raw:
        command.value("data", words_of("data", message))
        return None
    if isinstance(message, (dict, list)):
        message = json.dumps(message, ensure_ascii=False)
    if isinstance(message, (bytes, bytearray)):
        command.flag("binary")
        message = bytes(message)
    elif isinstance(message, (str, int, float)) and not isinstance(message, bool):
        message = str(message).encode()
    else:
        raise Wrong("data: must be a string, or a dict that is sent as JSON")
    command.value("data", "@-")
    return message


def add_steps(command, options):
    """expect and data_expand: the n-th text is sent once the n-th pattern has matched."""
    patterns = list_of("expect", options.pop("expect", []))
    texts = options.pop("data_expand", [])
    if isinstance(texts, dict):
        texts = [json.dumps(texts, ensure_ascii=False)]
    elif isinstance(texts, str):
        texts = [texts]
    texts = list_of("data_expand", texts)
    if len(texts) > len(patterns):
        raise Wrong("data_expand: needs an expect of its own before it, whose match it sends")
    for n, pattern in enumerate(patterns):
        command.value("expect", pattern)
        if n < len(texts):
            command.value("data_expand", texts[n])


def named(options):
    """The given options, with "_" in their names."""
    found = {}
    for name, value in options.items():
        plain = name.replace("-", "_")
        if value is None:
            continue
        if plain in found:
            raise Wrong("%s: was already given, as %s" % (name, plain))
        found[plain] = value
    return found


def add_url(command, url):
    """Puts the URL into a file, too, because it may contain a password or a token."""
    url = words_of("socket_url", url)
    if not url.strip() or url.lstrip().startswith("#") or re.search(r"[\r\n]", url):
        raise Wrong("socket_url: must be one URL, as ws://127.0.0.1:8080/")
    command.value("from", command.in_file(url + "\n").lstrip("@"))


def build(command, url, timeout, data, options):
    """Builds the command. Returns its standard input."""
    options = named(options)
    add_url(command, url)
    if timeout is not None:
        if "max_time" in options:
            raise Wrong("max_time: is the same as timeout; leave one of them out")
        command.value("timeout", words_of("timeout", timeout))
    stdin = data_steps(command, data, options.pop("data_raw", None))
    add_steps(command, options)
    add_headers(command, options)
    add_proxy(command, options)
    add_tls(command, options)
    for name, value in options.items():
        add_option(command, name, value)
    return stdin


# The result


def harmless(value):
    """The result without text that Keep would run: Keep evaluates keep.NAME(...) in a rendered message."""
    if isinstance(value, str):
        return re.sub(r"\bkeep\.(?=\w*(\(|\Z))", "keep. ", value)
    if isinstance(value, list):
        return [harmless(v) for v in value]
    if isinstance(value, dict):
        return {k: harmless(v) for k, v in value.items()}
    return value


def failed(sentence):
    return {"connection": False, "data": None, "error": sentence}


def ask(socket_url, timeout, data, options):
    """One query as a dict, whatever happens."""
    command = Command()
    try:
        stdin = build(command, socket_url, timeout, data, options)
        status, out, err = command.run(stdin)
    except (Wrong, UnicodeError) as e:
        return failed("the query was not made: %s" % e)
    except (OSError, ValueError) as e:
        return failed(
            "the query was not made: cannot run wsquery: %s; install it, or name it in the environment variable WSQUERY" % e
        )
    finally:
        command.close()
    try:
        result = json.loads(out)
    except ValueError:
        return failed("wsquery ended with status %d and without an answer: %s" % (status, err or "it said nothing"))
    if not isinstance(result, dict):
        return failed("wsquery ended with status %d and an answer that is not an object" % status)
    result.pop("url", None)  # --from adds it
    return harmless(result)


@dataclasses.dataclass
class WebsocketProviderAuthConfig:
    """A query needs no configuration."""


class WebsocketProvider(BaseProvider):
    """Ask a WebSocket server with wsquery."""

    PROVIDER_DISPLAY_NAME = "Websocket"

    def validate_config(self):
        self.authentication_config = WebsocketProviderAuthConfig(**self.config.authentication)

    def dispose(self):
        """Nothing stays open after a query."""

    def query(self, socket_url, timeout=None, data=None, **options):
        return super().query(socket_url=socket_url, timeout=timeout, data=data, **options)

    def _query(self, socket_url, timeout=None, data=None, **options):
        """
        Query a websocket endpoint.

        Args:
            socket_url: The websocket URL to query.
            timeout: Seconds for all of the query; 10 if it is not given.
            data: Message to send: a string, @FILE, or a mapping that is sent as JSON.
            options: Options of the Python package websocket-client or of wsquery.
        """
        result = ask(socket_url, timeout, data, options)
        if "error" in result:
            logger.warning("the query of a websocket failed: %s", result["error"])
        return result


WsqueryProviderAuthConfig = WebsocketProviderAuthConfig


class WsqueryProvider(WebsocketProvider):
    """Ask a WebSocket server with wsquery."""

    PROVIDER_DISPLAY_NAME = "wsquery"

    # Keep looks for this method in the class itself
    _query = WebsocketProvider._query
