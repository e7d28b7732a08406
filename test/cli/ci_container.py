# SPDX-License-Identifier: ISC
"""contrib/container with the tools that it is for: images built by buildah and run by podman, and an empty root.

Run by .ci/run as root; `make test` runs test_container.py. The builder's base image is this Debian itself, since no
registry of images is asked.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT, WSQUERY, environment, parse
from pki import pki  # noqa: F401
from servers import Server, echo, says, unused_port

HERE = ROOT / "contrib" / "container"
STATIC = pathlib.Path(os.environ.get("STATIC_WSQUERY") or ROOT / "build" / "static" / "wsquery")
BASE = "docker.io/library/debian:bookworm-slim"


def needs_tools(*names):
    missing = [n for n in names if not shutil.which(n)]
    return pytest.mark.skipif(bool(missing), reason="not installed: %s" % ", ".join(missing))


def tool(*args, check=True, **kw):
    p = subprocess.run([str(a) for a in args], capture_output=True, text=True, timeout=600, **kw)
    print(*args, p.stdout[-3000:], p.stderr[-3000:], sep="\n")
    assert not check or p.returncode == 0
    return p


# An empty root: nothing but the program, read only, without a user's name


@pytest.fixture
def root(tmp_path):
    if not STATIC.exists():
        pytest.skip("make static was not run")
    if os.getuid() != 0:
        pytest.skip("chroot wants root")
    directory = tmp_path / "root"
    directory.mkdir()
    shutil.copy(STATIC, directory / "wsquery")
    os.chmod(tmp_path, 0o755)
    return directory


IN_ROOT = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && exec chroot --userspec=1000:1000 --groups= "$@"'


def in_root(directory, *args, status=0):
    p = tool("unshare", "-m", "sh", "-c", IN_ROOT, "sh", directory, "/wsquery", *args, check=False, env=environment())
    assert p.returncode == status
    return parse(p.stdout.encode())


def test_address(root):
    with Server(says("hello")) as s:
        assert in_root(root, s.url) == {"connection": True, "data": "hello"}
    sock, port = unused_port()
    with sock:
        assert "refused" in in_root(root, "ws://127.0.0.1:%d/" % port, status=1)["error"]


def test_name(root):
    with Server(says("hello")) as s:
        assert in_root(root, "ws://localhost:%d/" % s.port)["data"] == "hello"
    (root / "etc").mkdir()
    (root / "etc" / "hosts").write_text("127.0.0.1 of-the-test.example\n")
    with Server(says("hello")) as s:
        assert in_root(root, "ws://of-the-test.example:%d/" % s.port)["data"] == "hello"


def test_dynamic_program(root):
    """What `make` builds does not start there, as README.md says."""
    if b"/ld-linux" not in open(WSQUERY, "rb").read(4096):
        pytest.skip("%s is not dynamic" % WSQUERY)
    shutil.copy(WSQUERY, root / "wsquery")
    p = tool("unshare", "-m", "sh", "-c", IN_ROOT, "sh", root, "/wsquery", "--version", check=False, env=environment())
    assert p.returncode != 0 and "built in" not in p.stdout


NAME_SERVER = """
import socket, subprocess, sys, threading
sys.path.insert(0, %r)
from servers import Server, says
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
names.bind(("127.0.0.1", 53))
def answer():
    while True:
        query, peer = names.recvfrom(512)
        end = query.index(b"\\0", 12) + 5
        found = b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\1\\0\\4\\x7f\\0\\0\\1" if query[end - 4:end - 2] == b"\\0\\1" else b""
        names.sendto(query[:2] + b"\\x81\\x80\\0\\1\\0" + bytes([bool(found)]) + b"\\0\\0\\0\\0" + query[12:end] + found, peer)
threading.Thread(target=answer, daemon=True).start()
with Server(says("hello")) as s:
    p = subprocess.run(sys.argv[1:] + ["ws://service.example:%%d/" %% s.port], capture_output=True)
print(p.stdout.decode(), p.stderr.decode(), sep="", end="")
sys.exit(p.returncode)
"""


@needs_tools("ip", "unshare")
def test_resolver(root):
    """/etc/resolv.conf names a server that runs in a separate network."""
    (root / "etc").mkdir()
    (root / "etc" / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    command = ["sh", "-c", IN_ROOT, "sh", root, "/wsquery"]
    name_server = NAME_SERVER % str(ROOT / "test" / "cli")
    p = tool("unshare", "-mn", sys.executable, "-c", name_server, *command, env=environment())
    assert parse(p.stdout.encode()) == {"connection": True, "data": "hello"}


def test_certificates(root, pki):  # noqa: F811
    version = tool(STATIC, "--version").stdout
    if " tls" not in version:
        pytest.skip("make static was run without MBEDTLS_SRC")
    certificates = root / "etc" / "ssl" / "certs"
    certificates.mkdir(parents=True)
    with pki.server(says("hello")) as s:
        url = "wss://localhost:%d/" % s.port
        assert "certificate" in in_root(root, "-4", url, status=1)["error"]
        shutil.copy(pki("ca.pem"), certificates / "ca-certificates.crt")
        (certificates / "ca-certificates.crt").chmod(0o644)
        assert in_root(root, "-4", url)["data"] == "hello"


# Images


class Images:
    """A separate store of images."""

    def __init__(self, directory):
        self.store = ["--storage-driver", "vfs", "--root", directory / "images", "--runroot", directory / "run"]
        # podman's limits, and the kind of cgroups that crun wants, in a separate mount namespace
        self.off = "umount -R -l /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup; exec podman \"$@\""

    def buildah(self, *args, **kw):
        return tool("buildah", *self.store, *args, **kw)

    def build(self, name, file, context, *args):
        how = ["--isolation", "chroot", "--pull-never", "-f", file, "-t", name]
        return self.buildah("bud", *how, *args, context)

    def podman_run(self, *args, **kw):
        how = ["run", "--rm", "--network", "host", "--cgroups", "disabled", "--read-only"]
        limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]
        podman = ["--cgroup-manager", "cgroupfs", *how, *limits, *args]
        return tool("unshare", "-m", "sh", "-c", self.off, "sh", *self.store, *podman, check=False, **kw)

    def config(self, name):
        return json.loads(json.loads(self.buildah("inspect", "--type", "image", name).stdout)["Config"])["config"]


def this_debian(base):
    """Makes the root of a base image in which apt-get finds the packages of this Debian installed. Their files are in /usr."""
    shutil.copytree("/etc", base / "etc", symlinks=True)
    shutil.copytree("/var/lib/dpkg", base / "var/lib/dpkg", ignore=shutil.ignore_patterns("info"))
    for name in ("dev", "proc", "root", "sys", "tmp", "usr", "var/cache/apt/archives/partial", "var/lib/apt/lists/partial", "var/log/apt"):
        (base / name).mkdir(parents=True)
    for name in ("bin", "lib", "lib64", "sbin"):
        (base / name).symlink_to("usr/" + name)
    (base / "tmp").chmod(0o1777)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A store that holds the base image and the image of Dockerfile."""
    if os.getuid() != 0:
        pytest.skip("buildah's chroot wants root")
    for name in ("buildah", "apt-get", "git"):
        if not shutil.which(name):
            pytest.skip("not installed: " + name)
    directory = tmp_path_factory.mktemp("images")
    made = Images(directory)
    p = made.buildah("from", "scratch", check=False)
    if p.returncode != 0:
        pytest.skip("buildah does not work here: " + p.stderr.strip()[-200:])
    container = p.stdout.strip()
    this_debian(directory / "base")
    made.buildah("add", "-q", container, directory / "base", "/")
    made.buildah("commit", "-q", "--rm", container, BASE)
    sources = directory / "sources"
    for name in tool("git", "ls-files", cwd=ROOT).stdout.split("\n")[:-1]:
        (sources / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, sources / name)
    made.build("wsquery", HERE / "Dockerfile", sources, "--volume", "/usr:/usr:ro")
    yield made
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
def service(images, tmp_path_factory):
    """The echo server as the service of Dockerfile.service."""
    context = tmp_path_factory.mktemp("service")
    files = [ROOT / "test" / "echo_server.c", ROOT / "sha1.c", ROOT / "base64.c"]
    tool("musl-gcc", "-static", "-Os", "-std=c11", "-I", ROOT, "-o", context / "service", *files)
    return context


def test_image(images):
    """The image is small, runs as an unprivileged user, and answers."""
    config = images.config("wsquery")
    assert config["User"] == "1000:1000" and config["Entrypoint"] == ["/wsquery"]
    container = images.buildah("from", "--pull-never", "wsquery").stdout.strip()
    with Server(says("hello")) as s:
        p = images.buildah("run", "--isolation", "chroot", container, "--", "/wsquery", s.url)
    assert parse(p.stdout.encode()) == {"connection": True, "data": "hello"}
    images.buildah("rm", container)


@needs_tools("podman")
def test_podman(images):
    p = images.podman_run("wsquery", "--version")
    if p.returncode != 0:
        pytest.skip("podman does not run containers here: " + p.stderr.strip().splitlines()[-1])
    with Server(says("hello")) as s:
        p = images.podman_run("wsquery", s.url)
    assert parse(p.stdout.encode()) == {"connection": True, "data": "hello"}


def test_health_check_of_an_image(images, service):
    """Docker's image format keeps the health check. OCI's drops it with a warning."""
    warned = images.build("in-oci", HERE / "Dockerfile.service", service, "--format", "oci").stderr
    assert "HEALTHCHECK is not supported for OCI image format" in warned
    assert "Healthcheck" not in images.config("in-oci")
    images.build("service", HERE / "Dockerfile.service", service, "--format", "docker")
    config = images.config("service")
    assert config["User"] == "1000:1000"
    command = config["Healthcheck"]["Test"]
    assert command[:2] == ["CMD", "/wsquery"]
    container = images.buildah("from", "--pull-never", "service").stdout.strip()

    def health(url):
        args = [a.replace("ws://127.0.0.1:8080/", url) for a in command[1:]]
        return images.buildah("run", "--isolation", "chroot", container, "--", *args, check=False)

    with Server(echo) as s:
        assert health(s.url).returncode == 0
    sock, port = unused_port()
    with sock:
        assert health("ws://127.0.0.1:%d/" % port).returncode != 0
    images.buildah("rm", container)


# The tools that read the other files


@needs_tools("docker-compose")
def test_compose():
    p = tool("docker-compose", "-f", HERE / "compose.yaml", "config")
    assert "condition: service_healthy" in p.stdout
    wrong = (HERE / "compose.yaml").read_text().replace("start_period", "start_periods")
    assert tool("docker-compose", "-f", "-", "config", check=False, input=wrong).returncode != 0


def test_kubernetes():
    tools = os.environ.get("TOOLS_ENV", "/nonexistent")
    validate = os.path.join(tools, "bin", "kubernetes-validate")
    if not os.path.exists(validate):
        pytest.skip("kubernetes-validate is not installed (TOOLS_ENV)")
    tool(validate, "--strict", HERE / "kubernetes.yaml")


def test_kubernetes_notices_what_is_wrong(tmp_path):
    validate = os.path.join(os.environ.get("TOOLS_ENV", "/nonexistent"), "bin", "kubernetes-validate")
    if not os.path.exists(validate):
        pytest.skip("kubernetes-validate is not installed (TOOLS_ENV)")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text((HERE / "kubernetes.yaml").read_text().replace("periodSeconds", "periodSecond"))
    assert tool(validate, "--strict", wrong, check=False).returncode != 0
