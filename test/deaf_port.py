# SPDX-License-Identifier: ISC
"""usage: deaf_port.py PORT: on [::1]:PORT, where a connection is never answered: its backlog is full; "ready" is printed."""

import socket
import sys
import time

listener = socket.socket(socket.AF_INET6)
listener.bind(("::1", int(sys.argv[1])))
listener.listen(0)
clients = []
for _ in range(4):
    s = socket.socket(socket.AF_INET6)
    s.setblocking(False)
    s.connect_ex(("::1", int(sys.argv[1])))
    clients.append(s)
time.sleep(0.2)
print("ready", flush=True)
time.sleep(600)
