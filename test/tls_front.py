# SPDX-License-Identifier: ISC
"""usage: tls_front.py CERT KEY PORT: takes TLS off connections and passes them on to 127.0.0.1:PORT; prints its own."""

import os
import socket
import ssl
import sys
import threading

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "cli"))
from servers import pump  # noqa: E402


def serve(raw):
    try:
        front = context.wrap_socket(raw, server_side=True)
        back = socket.create_connection(("127.0.0.1", int(sys.argv[3])))
    except OSError:
        raw.close()
        return
    pump(front, back)


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
listener = socket.create_server(("", 0))
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
