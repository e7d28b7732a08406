# SPDX-License-Identifier: ISC
"""netns_server.py MODE HOST PORT: a server of servers.py on a separate address. Prints "ready" once it listens, and "open"
when a client has reached the point of MODE. It ends with its standard input, or when it is killed."""

import os
import sys

import servers


def tell(word):
    print(word, flush=True)


def hold(c):
    c.upgrade()
    tell("open")
    sys.stdin.readline()
    c.text("late")
    c.hold()


def half(c):
    c.upgrade(servers.frame(1, b"x" * 1000)[:500])
    tell("open")
    c.hold()


def nohead(c):
    c.read_request()
    tell("open")
    c.hold()


def halfhead(c):
    c.read_request()
    c.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: webso")
    tell("open")
    c.hold()


MODES = {"echo": servers.echo, "hold": hold, "half": half, "nohead": nohead, "halfhead": halfhead}

if __name__ == "__main__":
    mode, host, port = sys.argv[1:]
    with servers.Server(MODES[mode], host=host, port=int(port)):
        tell("ready")
        while sys.stdin.readline():
            pass
        os._exit(0)
