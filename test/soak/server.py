#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A server on loopback that misbehaves as the path asks it to, for soak.c. Prints its port, and ends with standard input.

/echo sends messages back, /refuse answers 403 with a body, /garbage is not HTTP, /silent never answers, /drop closes in the
middle of a message, /flood sends a message over the limit, /violation sets a reserved bit, /utf8 sends text that is not
UTF-8, /dribble sends its response a byte at a time, /reset resets, /stream sends a thousand messages, /redirect leads to
/echo, /close closes with a reason.
"""

import asyncio
import base64
import hashlib
import socket
import struct
import sys

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def frame(opcode, payload=b"", first=0x80):
    if len(payload) < 126:
        head = bytes([first | opcode, len(payload)])
    elif len(payload) < 65536:
        head = bytes([first | opcode, 126]) + struct.pack(">H", len(payload))
    else:
        head = bytes([first | opcode, 127]) + struct.pack(">Q", len(payload))
    return head + payload


def accept(key):
    value = base64.b64encode(hashlib.sha1(key + GUID).digest())
    return b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + value + b"\r\n\r\n"


async def receive(reader):
    """The next frame: (opcode, payload)"""
    first, second = await reader.readexactly(2)
    length = second & 127
    if length > 125:
        length = int.from_bytes(await reader.readexactly(2 if length == 126 else 8), "big")
    key = await reader.readexactly(4)
    payload = await reader.readexactly(length)
    return first & 15, bytes(b ^ key[i % 4] for i, b in enumerate(payload))


async def echo(reader, writer):
    while True:
        opcode, payload = await receive(reader)
        writer.write(frame({8: 8, 9: 10}.get(opcode, opcode), payload))
        await writer.drain()
        if opcode == 8:
            return


async def behave(path, key, reader, writer):
    if path == "/refuse":
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nno, sorry")
        return
    if path == "/garbage":
        writer.write(bytes(range(256)) * 20)
        return
    if path == "/redirect":
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: /echo\r\nContent-Length: 0\r\n\r\n")
        return
    if path == "/silent":
        await reader.read()
        return
    if path == "/reset":
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        return
    if path == "/dribble":
        for byte in accept(key):
            writer.write(bytes([byte]))
            await writer.drain()
    else:
        writer.write(accept(key))
    ends = {
        "/drop": frame(1, b"x" * 100)[:50],
        "/flood": frame(2, b"\0" * (2 << 20)),
        "/violation": frame(1, b"x", first=0xC0),
        "/utf8": frame(1, b"fine so far \xff"),
        "/close": frame(1, b"last words") + frame(8, struct.pack(">H", 1013) + b"come again"),
    }
    if path == "/stream":
        for i in range(1000):
            writer.write(frame(1, b"%d" % i) + (frame(9, b"p") if i % 100 == 0 else b""))
            await writer.drain()
    if path in ends:
        await receive(reader)  # what stays unread would make the close a reset
        writer.write(ends[path])
        await writer.drain()
        if path != "/drop":
            await asyncio.wait_for(reader.read(65536), 1)
        return
    await echo(reader, writer)


async def serve(reader, writer):
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        key = next(line.split(b": ")[1] for line in lines if line.lower().startswith(b"sec-websocket-key"))
        await behave(lines[0].split(b" ")[1].decode(), key, reader, writer)
    except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
        pass
    writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
