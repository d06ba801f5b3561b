"""The clients of the crash tests: HTTP with keep-alive and WebSocket, as much of both as Tocsin's protocol needs.

They share no code with the server. What breaks the protocol raises ProtocolError; a connection that ends, OSError or
EOFError, which to these tests are the normal course of things.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import struct
import time
from collections.abc import Callable

from server import JWT_SECRET

TOKEN_LIFE_S = 30 * 24 * 3600  # longer than any test, also where the server's clock is set
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA


class ProtocolError(Exception):
    """The server broke HTTP, WebSocket or tocsin.v1."""


# `topics`: the claim; None: it has none.
def token(user: str, topics: list[str] | None = None) -> str:
    def part(value: bytes) -> bytes:
        return base64.urlsafe_b64encode(value).rstrip(b"=")

    claims: dict = {"sub": user, "exp": int(time.time()) + TOKEN_LIFE_S}
    if topics is not None:
        claims["topics"] = topics
    signed = part(b'{"alg":"HS256","typ":"JWT"}') + b"." + part(json.dumps(claims).encode())
    signature = hmac.new(JWT_SECRET.encode(), signed, hashlib.sha256).digest()
    return (signed + b"." + part(signature)).decode()


class Http:
    """One connection, kept alive, one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, port: int) -> "Http":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    def send(self, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> None:
        head = f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.writer.write(head.encode() + b"\r\n" + body)

    # The status and the body. Afterwards `headers` are those of the answer, in lower case, and `closes` says whether the
    # server ends the connection with it.
    async def request(self, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> tuple[int, bytes]:
        self.send(method, target, headers, body)
        await self.writer.drain()
        start, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().rstrip().split("\r\n")
        version, status, *_ = start.split(" ")
        if version != "HTTP/1.1":
            raise ProtocolError(f"an answer begins with {start!r}")
        self.headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
        self.closes = self.headers.get("connection", "").lower() == "close"
        return int(status), await self.reader.readexactly(int(self.headers.get("content-length", 0)))

    def close(self) -> None:
        self.writer.close()


class WebSocket(asyncio.Protocol):
    """One WebSocket. `on_text` gets every message; `closed` resolves when the connection has ended, with the code of
    the server's close frame, or None where there was none."""

    def __init__(self, on_text: Callable[[str], None]):
        loop = asyncio.get_running_loop()
        self.on_text = on_text
        self.opened: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[int | None] = loop.create_future()
        self.close_code: int | None = None
        self.error: Exception | None = None
        self.said_close = False
        self.buffer = bytearray()
        self.key = base64.b64encode(os.urandom(16))

    @classmethod
    async def connect(cls, port: int, on_text: Callable[[str], None]) -> "WebSocket":
        _, socket = await asyncio.get_running_loop().create_connection(lambda: cls(on_text), "127.0.0.1", port)
        await socket.opened
        return socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(
            b"GET /v1/ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: tocsin.v1\r\n"
            b"Sec-WebSocket-Key: " + self.key + b"\r\n\r\n"
        )

    def data_received(self, received: bytes) -> None:
        self.buffer += received
        try:
            if not self.opened.done() and not self._read_handshake():
                return
            while self._read_frame():
                pass
        except Exception as error:  # of a frame, or of who reads it: the test fails with it, see Device
            self.error = error
            self.transport.abort()

    def _read_handshake(self) -> bool:
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self.buffer[:end])
        del self.buffer[: end + 4]
        accept = base64.b64encode(hashlib.sha1(self.key + GUID).digest())
        if not head.startswith(b"HTTP/1.1 101 ") or accept not in head:
            raise ProtocolError(f"the upgrade was answered with {head!r}")
        self.opened.set_result(None)
        return True

    def _read_frame(self) -> bool:
        buffer = self.buffer
        if len(buffer) < 2:
            return False
        first, size, start = buffer[0], buffer[1], 2
        if size in (126, 127):
            start = 4 if size == 126 else 10
            if len(buffer) < start:
                return False
            (size,) = struct.unpack_from("!H" if start == 4 else "!Q", buffer, 2)
        if len(buffer) < start + size:
            return False
        payload = bytes(buffer[start : start + size])
        del buffer[: start + size]
        if self.close_code is not None:
            raise ProtocolError("a frame follows the close frame")
        match first:
            case 0x81:
                self.on_text(payload.decode())
            case 0x88:
                self.close_code = struct.unpack("!H", payload[:2])[0] if payload else 1005
                if not self.said_close:
                    self._send(CLOSE, payload[:2])
                self.transport.close()
            case 0x89:
                self._send(PONG, payload)
            case 0x8A:
                pass
            case _:
                raise ProtocolError(f"a frame begins with the byte {first:#x}")
        return True

    def _send(self, opcode: int, payload: bytes) -> None:
        mask = os.urandom(4)
        size = len(payload)
        if size < 126:
            head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
        else:
            head = struct.pack("!BBH", 0x80 | opcode, 0xFE, size)
        key = (mask * (size // 4 + 1))[:size]
        masked = int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")
        self.transport.write(head + mask + masked.to_bytes(size, "big"))

    def send(self, frame: dict) -> None:
        self._send(TEXT, json.dumps(frame, separators=(",", ":")).encode())

    # Ends it properly: resolves when the server has answered the close frame, so it has read all that was sent before.
    async def close(self) -> None:
        self.said_close = True
        self._send(CLOSE, struct.pack("!H", 1000))
        await self.closed

    # Ends it as a lost network does.
    def abort(self) -> None:
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(self.error or exc or ConnectionResetError("ended before the upgrade"))
        if not self.closed.done():
            self.closed.set_result(self.close_code)
