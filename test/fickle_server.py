# SPDX-License-Identifier: ISC
"""usage: fickle_server.py: a WebSocket server for keepalive.c; prints its port.

It answers each subscription with "NUMBER: SUBSCRIPTION", counting connections. The first connection is silent afterwards,
pings too; the second is closed with 1001; the third is reset; a fourth stays and answers pings.
"""

import base64
import hashlib
import socket
import struct


def exactly(conn, n):
    data = b""
    while len(data) < n:
        piece = conn.recv(n - len(data))
        if not piece:
            raise OSError("closed")
        data += piece
    return data


def frame(conn):  # opcode and payload of one short masked frame
    first, length = exactly(conn, 2)
    mask = exactly(conn, 4)
    payload = exactly(conn, length & 0x7F)
    return first & 15, bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


def upgrade(conn):
    head = b""
    while b"\r\n\r\n" not in head:
        head += exactly(conn, 1)
    key = head.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    conn.sendall(b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n")


def serve(conn, number):
    upgrade(conn)
    text = b"%d: %s" % (number, frame(conn)[1])
    conn.sendall(bytes([0x81, len(text)]) + text)
    if number == 2:
        conn.sendall(b"\x88\x02\x03\xe9")
    if number == 3:
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return
    while True:
        opcode, payload = frame(conn)
        if number > 3 and opcode == 9:
            conn.sendall(bytes([0x8A, len(payload)]) + payload)
        if opcode == 8:
            conn.sendall(bytes([0x88, len(payload)]) + payload)


listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
for number in range(1, 100):
    client, _ = listener.accept()
    try:
        serve(client, number)
    except OSError:
        pass
    client.close()
