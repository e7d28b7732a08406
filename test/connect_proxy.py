# SPDX-License-Identifier: ISC
"""usage: connect_proxy.py: an HTTP proxy for CONNECT; prints its port, and for each tunnel the target on stderr."""

import os
import socket
import sys
import threading

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "cli"))
from servers import pump  # noqa: E402


def serve(client):
    head = b""
    while b"\r\n\r\n" not in head:
        head += client.recv(65536) or b"\r\n\r\n"
    words = head.split()
    if len(words) < 2 or words[0] != b"CONNECT":
        client.close()
        return
    host, port = words[1].decode().rsplit(":", 1)
    print(words[1].decode(), file=sys.stderr, flush=True)
    server = socket.create_connection((host.strip("[]"), int(port)))
    client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
    pump(client, server)


listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
