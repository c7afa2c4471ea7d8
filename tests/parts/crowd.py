"""Many sockets at once: as little as a client can be, since thousands of them share this process with a browser."""

import asyncio
import base64
import json
import os
import resource
import threading

# Handshakes under way at the same time; and for how long a busy server is asked again.
AT_ONCE = 64
PATIENCE = 120
# Clients answer pings; with this setting none comes while a test lasts.
SETTINGS = {"SOPHIE__SESSION__PING_SECONDS": "3600"}


class Refused(Exception):
    """The socket, or the group."""


class Member(asyncio.Protocol):
    """A socket of one session in one group."""

    def __init__(self, session, group, address):
        self.lines = [f"GET /ws/chat/{session} HTTP/1.1", f"Host: {address}", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]
        self.lines += [f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}", "Sec-WebSocket-Protocol: sophie.v1", "", ""]
        self.join = json.dumps({"type": "group.join", "id": "join", "group": group}).encode()
        self.read = b""
        self.open = False
        self.joined = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport
        transport.write("\r\n".join(self.lines).encode())

    def data_received(self, data):
        if self.joined.done():
            return
        self.read += data
        if not self.open and b"\r\n\r\n" in self.read:
            head, _, self.read = self.read.partition(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 101"):
                return self.joined.set_exception(Refused(head.decode(errors="replace")))
            self.open = True
            # A masked text frame; the mask is nothing, so that its payload stays as it is.
            assert len(self.join) < 126
            self.transport.write(bytes([0x81, 0x80 | len(self.join), 0, 0, 0, 0]) + self.join)
        if b'"type":"error"' in self.read:
            return self.joined.set_exception(Refused(self.read.decode(errors="replace")))
        if b'"type":"ack"' in self.read:
            self.read = b""
            self.joined.set_result(None)

    def connection_lost(self, error):
        if not self.joined.done():
            self.joined.set_exception(error or ConnectionError("the server closed it"))


class Crowd:
    """So many sessions, spread over so many groups, each with an open socket for as long as this lives."""

    def __init__(self, port, sessions, groups):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        self.members = []
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self.come(port, sessions, groups), self.loop).result(3600)

    async def come(self, port, sessions, groups):
        room = asyncio.Semaphore(AT_ONCE)

        async def one(n):
            async with room:
                made = lambda: Member(f"crowd{n:05}", f"group{n % groups:04}", f"127.0.0.1:{port}")
                deadline = self.loop.time() + PATIENCE
                while True:
                    _, member = await self.loop.create_connection(made, "127.0.0.1", port)
                    try:
                        await asyncio.wait_for(member.joined, PATIENCE)
                        break
                    except (Refused, ConnectionError):
                        # Its store is slow while all of them come.
                        if self.loop.time() > deadline:
                            raise
                        member.transport.abort()
                        await asyncio.sleep(1)
                self.members.append(member)

        await asyncio.gather(*(one(n) for n in range(sessions)))

    def close(self):
        async def go():
            for member in self.members:
                member.transport.abort()

        asyncio.run_coroutine_threadsafe(go(), self.loop).result(60)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(60)
        self.loop.close()
