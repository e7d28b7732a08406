#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Plays the same random conversations to three clients: ours, wsproto and websockets. They must agree on each message and
on whether the server obeyed RFC 6455.

usage: test/differential/compare.py [--count N] [--seed N] CLIENT

CLIENT is the program made from client.c. A conversation is what a server sends after its 101: frames, most of them valid,
some with one of the FAULTS below. wsproto and websockets must be installed (Debian: python3-wsproto,
python3-websockets). Where a reference is known to be more lenient than the RFC, LENIENT names the fault, and only our own
client is then checked against the RFC. The last line is "N passed, N failed". The exit status is 77 if no reference is
installed.
"""

import argparse
import random
import struct
import subprocess
import sys

try:
    import wsproto.connection
    import wsproto.events
    import wsproto.utilities
except ImportError:
    wsproto = None
try:
    import asyncio

    import websockets
    import websockets.exceptions
    import websockets.legacy.protocol
except ImportError:
    websockets = None

TEXTS = ["", "a", "hello", "żółć", "日本語", "🙂🙃", "\0", "x" * 125, "y" * 126, "z" * 65535, "é" * 32768]
WRONG_TEXTS = [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"ok\xe2\x82", b"\x80"]
# 1014 is younger than wsproto 1.2, which refuses it.
GOOD_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999, 4000, 4999]
WRONG_CODES = [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535]


def frame(opcode, payload=b"", fin=True, rsv=0, masked=False, width=None, length=None):
    """One frame. width and length force a form of the length, right or wrong."""
    length = len(payload) if length is None else length
    if width is None:
        width = 7 if length < 126 else 16 if length < 65536 else 64
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    second = (0x80 if masked else 0) | {7: length, 16: 126, 64: 127}[width]
    extended = {7: b"", 16: struct.pack(">H", length & 0xFFFF), 64: struct.pack(">Q", length)}[width]
    return bytes([first, second]) + extended + (b"\0\0\0\0" if masked else b"") + payload


def close(code, reason=b""):
    return frame(8, struct.pack(">H", code) + reason)


# name of a fault, and a function that makes its frames from a random source
FAULTS = {
    "a reserved opcode": lambda r: frame(r.choice([3, 4, 5, 6, 7, 11, 12, 13, 14, 15]), b"x"),
    "a reserved bit": lambda r: frame(r.choice([1, 2, 9, 10]), b"x", rsv=r.choice([1, 2, 4])),
    "a mask": lambda r: frame(r.choice([1, 2, 9]), b"x", masked=True),
    "a continuation of nothing": lambda r: frame(0, b"x", fin=r.random() < 0.5),
    "a message within a message": lambda r: frame(1, b"a", fin=False) + frame(r.choice([1, 2]), b"b"),
    "a fragmented control frame": lambda r: frame(r.choice([8, 9, 10]), b"", fin=False),
    "a long control frame": lambda r: frame(r.choice([8, 9, 10]), b"\x03\xe8" + b"x" * r.choice([124, 200])),
    "a length in two bytes for one": lambda r: frame(2, b"x" * 125, width=16),
    "a length in eight bytes for two": lambda r: frame(2, b"x" * 300, width=64),
    "a length with its top bit": lambda r: frame(2, b"x", width=64, length=1 << 63 | 1),
    "text that is not UTF-8": lambda r: frame(1, r.choice(WRONG_TEXTS)),
    "a character cut at the end of a message": lambda r: frame(1, "€".encode()[: r.choice([1, 2])], fin=False) + frame(0),
    "a close code that may not be sent": lambda r: close(r.choice(WRONG_CODES)),
    "a close frame of one byte": lambda r: frame(8, b"\x03"),
    "a close reason that is not UTF-8": lambda r: close(1000, r.choice(WRONG_TEXTS)),
}
# What the references let pass although RFC 6455 forbids it, found by this comparison
LENIENT = {
    "wsproto": set(),
    "websockets": {"a length in two bytes for one", "a length in eight bytes for two", "a length with its top bit"},
}


def good_part(r):
    """Frames that keep to the rules: a message, perhaps in fragments with control frames between them, or a control frame"""
    kind = r.random()
    if kind < 0.2:
        return frame(r.choice([9, 10]), bytes(r.randrange(256) for _ in range(r.choice([0, 1, 4, 125]))))
    text = r.random() < 0.6
    if text:
        payload = "".join(r.choice(TEXTS) for _ in range(r.randrange(3))).encode()
    else:
        payload = r.randbytes(r.choice([0, 1, 125, 126, 127, 1000, 65535, 65536]))
    opcode = 1 if text else 2
    if kind < 0.7:
        return frame(opcode, payload)
    cuts = sorted(r.randrange(len(payload) + 1) for _ in range(r.randrange(1, 5)))
    pieces = [payload[a:b] for a, b in zip([0] + cuts, cuts + [len(payload)])]
    out = b""
    for i, piece in enumerate(pieces):
        out += frame(0 if i else opcode, piece, fin=i == len(pieces) - 1)
        if i < len(pieces) - 1 and r.random() < 0.3:
            out += frame(r.choice([9, 10]), b"between")
    return out


def conversation(r):
    """The bytes of a conversation, and the name of the fault in it, or None"""
    parts = [good_part(r) for _ in range(r.randrange(5))]
    fault = r.choice(list(FAULTS)) if r.random() < 0.6 else None
    if fault:
        parts.append(FAULTS[fault](r))
        parts += [good_part(r) for _ in range(r.randrange(2))]
    parts.append(r.choice([close(r.choice(GOOD_CODES), r.choice(["", "bye", "żółć"]).encode()), frame(8), b""]))
    data = b"".join(parts)
    if fault is None and r.random() < 0.1:
        data = data[: r.randrange(len(data) + 1)]
    return data, fault


def ours(client, conversations, step):
    """What our client made of each conversation: (messages, "close", code) or (messages, "violation")"""
    data = b"".join(struct.pack(">I", len(c)) + c for c in conversations)
    lines = subprocess.run([client, str(step)], input=data, stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()
    results = []
    for line in lines:
        *messages, end = line.split(", ")
        _, word, code = end.split()
        messages = [(m.split(" ")[0], bytes.fromhex(m.split(" ")[1])) for m in messages]
        if word == "closed":
            results.append((messages, "close", int(code)))
        elif word in ("protocol", "utf8"):
            results.append((messages, "violation", None))
        else:
            results.append((messages, word, int(code)))
    return results


def by_wsproto(data):
    connection = wsproto.connection.Connection(wsproto.connection.ConnectionType.CLIENT)
    messages, kind, pieces = [], None, []
    connection.receive_data(data)
    for event in connection.events():
        if isinstance(event, wsproto.events.Message):
            if kind is None:
                kind, pieces = ("text" if isinstance(event, wsproto.events.TextMessage) else "binary"), []
            pieces.append(event.data.encode() if kind == "text" else bytes(event.data))
            if event.message_finished:
                messages.append((kind, b"".join(pieces)))
                kind = None
        elif isinstance(event, wsproto.events.CloseConnection):
            # It reports a violation in the same way, but then it has not seen a close frame.
            if connection.state is wsproto.connection.ConnectionState.OPEN:
                return messages, "violation", None
            return messages, "close", int(event.code)
    return messages, "close", 1006


async def websockets_talk(data):
    """The legacy protocol of websockets, whose transport is a reader that already has all bytes"""
    protocol = websockets.legacy.protocol.WebSocketCommonProtocol(max_size=None, ping_interval=None, close_timeout=1)
    protocol.is_client, protocol.side = True, "client"
    messages = []
    server = await asyncio.start_server(lambda reader, writer: feed(reader, writer, data), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    await loop.create_connection(lambda: protocol, "127.0.0.1", port)
    protocol.connection_open()
    try:
        while True:
            message = await protocol.recv()
            messages.append(("text", message.encode()) if isinstance(message, str) else ("binary", message))
    except websockets.exceptions.ConnectionClosed as closed:
        received, sent = closed.rcvd, closed.sent
    server.close()
    if received is not None:
        return messages, "close", int(received.code)
    if sent is not None and sent.code in (1002, 1007):
        return messages, "violation", None
    return messages, "close", 1006


async def feed(reader, writer, data):
    writer.write(data)
    try:
        writer.write_eof()
        await writer.drain()
        await reader.read()
    except ConnectionError:
        pass
    writer.close()


async def websockets_all(talks):
    slots = asyncio.Semaphore(50)

    async def one(data):
        async with slots:
            return await websockets_talk(data)

    return await asyncio.gather(*map(one, talks))


def shown(result):
    messages, end, code = result
    return f"{[(kind, len(data), data[:20]) for kind, data in messages]}, {end} {code}"


def keeps_to_rfc(result, fault):
    return (result[1] == "violation") == (fault is not None)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("client")
    options = parser.parse_args()
    references = {}
    if wsproto:
        references["wsproto"] = lambda talks: list(map(by_wsproto, talks))
    if websockets:
        references["websockets"] = lambda talks: asyncio.run(websockets_all(talks))
    if not references:
        print("neither wsproto nor websockets is installed")
        return 77
    r = random.Random(options.seed)
    talks = [conversation(r) for _ in range(options.count)]
    whole = ours(options.client, [data for data, _ in talks], 0)
    pieces = ours(options.client, [data for data, _ in talks], 7)
    theirs = {name: play([data for data, _ in talks]) for name, play in references.items()}
    passed = failed = 0
    for i, (data, fault) in enumerate(talks):
        wrong = []
        if whole[i] != pieces[i]:
            wrong.append(f"in pieces: {shown(pieces[i])}")
        if not keeps_to_rfc(whole[i], fault):
            wrong.append("RFC 6455 says otherwise")
        for name, results in theirs.items():
            if fault not in LENIENT[name] and results[i] != whole[i]:
                wrong.append(f"{name}: {shown(results[i])}")
        passed += not wrong
        failed += bool(wrong)
        if wrong:
            print(f"conversation {i} of seed {options.seed} ({fault}): {data[:60].hex()}")
            print("\n".join(f"    {w}" for w in [f"ours: {shown(whole[i])}"] + wrong))
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
