"""The line on which clients reach a broker in the tests. It passes every byte on as it comes, and remembers it: when the broker is closed, what
it sent is held to what it says of itself (`described`). So whoever the client is, browsers and published SDKs too, nothing is sent that is
not described."""

import asyncio
import contextlib
import json
import re
import struct
import threading
import zlib

from described import Undescribed

LOOP = asyncio.new_event_loop()
threading.Thread(target=LOOP.run_forever, daemon=True).start()
# Of one connection: what comes after that is passed on, and not looked at.
MOST = 16 << 20


def on_the_loop(work):
    return asyncio.run_coroutine_threadsafe(work, LOOP).result(10)


class Tap:
    def __init__(self, target):
        self.target = target
        self.connections = []
        self.frames = self.bodies = 0
        self.server = on_the_loop(asyncio.start_server(self.join, "127.0.0.1", 0, backlog=1024))
        self.port = self.server.sockets[0].getsockname()[1]

    def close(self):
        on_the_loop(self.shut())

    async def shut(self):
        self.server.close()
        for connection in self.connections:
            connection.cut()

    async def join(self, reader, writer):
        connection = Connection(writer)
        try:
            far_reader, connection.far = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            return connection.cut()
        self.connections.append(connection)
        both = (connection.pass_on(reader, connection.far, connection.asked), connection.pass_on(far_reader, writer, connection.told))
        await asyncio.gather(*both)
        connection.cut(abort=False)

    def check(self, described, foreign=()):
        """Looks at all that was sent, but frames of a `foreign` type. What is wrong with it, once each."""
        wrong = {}
        for connection in self.connections:
            try:
                for method, target, status, headers, body, whole in responses(bytes(connection.asked), bytes(connection.told)):
                    if status == 101:
                        channel = described.channel(target)
                        for text in texts(body, headers):
                            frame = json.loads(text)
                            if frame.get("type") not in foreign:
                                described.frame(channel, frame)
                                self.frames += 1
                    else:
                        self.bodies += described.body(method, target, status, headers, body, whole)
            except Undescribed as error:
                wrong.setdefault(str(error)[:400], str(error))
        return list(wrong.values())


class Connection:
    """One of them, and what went over it."""

    def __init__(self, near):
        self.near, self.far = near, None
        self.asked, self.told = bytearray(), bytearray()

    async def pass_on(self, reader, writer, seen):
        try:
            while data := await reader.read(65_536):
                if len(seen) < MOST:
                    seen += data
                writer.write(data)
                await writer.drain()
            writer.write_eof()
        except (OSError, RuntimeError):
            self.cut()

    def cut(self, abort=True):
        for writer in (self.near, self.far):
            if writer is not None:
                with contextlib.suppress(RuntimeError):
                    writer.transport.abort() if abort else writer.close()


def head(data):
    """The first line, the headers with names in lower case, and what follows; None if it is not there as a whole."""
    lines, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        return None
    first, *fields = lines.decode("latin-1").split("\r\n")
    return first, {name.strip().lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}, rest


def content(headers, data, until_the_end=False):
    """A body, what follows it, and whether it is whole."""
    if "chunked" in headers.get("transfer-encoding", ""):
        body = bytearray()
        while match := re.match(rb"([0-9a-fA-F]+)[^\r\n]*\r\n", data):
            size, start = int(match[1], 16), match.end()
            if not size:
                return bytes(body), data[start:].partition(b"\r\n")[2], True
            body += data[start : start + size]
            data = data[start + size + 2 :]
        return bytes(body), b"", False
    if "content-length" in headers:
        size = int(headers["content-length"])
        return data[:size], data[size:], len(data) >= size
    return (data, b"", True) if until_the_end else (b"", data, True)


def responses(asked, told):
    """What was asked over a connection, and what came: method, target, status, headers, body, whether it is whole."""
    while (request := head(asked)) and (reply := head(told)):
        line, headers, rest = request
        if len(line.split(" ")) != 3:
            return
        method, target, _ = line.split(" ")
        _, asked, _ = content(headers, rest)
        status, answered, rest = int(reply[0].split(" ")[1]), reply[1], reply[2]
        while 100 <= status < 200 and status != 101:
            if (reply := head(rest)) is None:
                return
            status, answered, rest = int(reply[0].split(" ")[1]), reply[1], reply[2]
        if status == 101:
            yield method, target, status, answered, rest, True
            return
        if method == "HEAD" or status in (204, 304):
            body, told, whole = b"", rest, True
        else:
            body, told, whole = content(answered, rest, until_the_end=True)
        if answered.get("content-encoding") == "gzip":
            inflate = zlib.decompressobj(31)
            body = inflate.decompress(body)
        yield method, target, status, answered, body, whole


def texts(data, headers):
    """The texts of a WebSocket's frames from a server, as far as they came."""
    gathered, deflated = b"", False
    while len(data) >= 2:
        first, size, at = data[0], data[1] & 127, 2
        if size > 125:
            form = ">H" if size == 126 else ">Q"
            at += struct.calcsize(form)
            if len(data) < at:
                return
            (size,) = struct.unpack(form, data[2:at])
        if len(data) < at + size:
            return
        payload, data = data[at : at + size], data[at + size :]
        opcode = first & 15
        if opcode > 7:
            continue
        if opcode:
            gathered, deflated = b"", bool(first & 64)
        gathered += payload
        if first & 128:
            # No context goes from one message to the next.
            yield zlib.decompressobj(-15).decompress(gathered + b"\0\0\xff\xff") if deflated else gathered
