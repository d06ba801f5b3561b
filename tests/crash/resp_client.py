"""Resp: as much of the Redis protocol (RESP2) as the crash tests need, for asyncio. No code of the server is in it."""

import asyncio

from clients import ProtocolError
from groups_checker import Failure, Reply

LINE_LIMIT = 1 << 24


class Resp:
    """One connection. What ends it raises OSError or EOFError, what breaks the protocol ProtocolError."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, port: int) -> "Resp":
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=LINE_LIMIT))

    def send(self, *words: str) -> None:
        parts = [b"*%d\r\n" % len(words)]
        for word in words:
            text = word.encode()
            parts.append(b"$%d\r\n%s\r\n" % (len(text), text))
        self.writer.write(b"".join(parts))

    async def ask(self, *words: str) -> Reply:
        self.send(*words)
        return await self.read()

    # None: nil.
    async def read(self) -> Reply:
        line = await self.reader.readuntil(b"\r\n")
        kind, rest = line[:1], line[1:-2]
        match kind:
            case b"+":
                return rest.decode()
            case b"-":
                return Failure(rest.decode())
            case b":":
                return int(rest)
            case b"$" if rest == b"-1":
                return None
            case b"$":
                return (await self.reader.readexactly(int(rest) + 2))[:-2].decode()
            case b"*" if rest == b"-1":
                return None
            case b"*":
                return [await self.read() for _ in range(int(rest))]
        raise ProtocolError(f"a reply begins with {line[:60]!r}")

    def close(self) -> None:
        self.writer.close()
