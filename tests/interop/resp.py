"""Resp: a raw client of the Redis protocol, so that replies can be compared to the byte and clients can be rude."""

import socket


class Simple(str):
    """+OK"""


class Error(str):
    """-ERR ..."""


class Null:
    def __repr__(self) -> str:
        return "nil"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Null)

    def __hash__(self) -> int:
        return 0


class NullArray(Null):
    """*-1; in RESP3 there is one null only"""

    def __repr__(self) -> str:
        return "nil-array"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NullArray)

    def __hash__(self) -> int:
        return 1


class Map(list):
    """%: pairs, in order"""


class Set(list):
    """~"""


class Push(list):
    """>"""


class Verbatim(bytes):
    """="""


Reply = object


# Text that is equal for equal replies, types included.
def show(reply: Reply) -> str:
    if isinstance(reply, list):
        inside = ", ".join(show(element) for element in reply)
        return f"[{inside}]" if type(reply) is list else f"{type(reply).__name__}[{inside}]"
    if isinstance(reply, Error):
        return f"-{reply}"
    if isinstance(reply, Simple):
        return f"+{reply}"
    return ("txt:" if isinstance(reply, Verbatim) else "") + repr(reply)


def encode(*words: str | bytes | int) -> bytes:
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        data = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


class Client:
    def __init__(self, port: int, version: int = 2, password: str | None = None, timeout: float = 60):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        if password is not None:
            self.ask("AUTH", password)
        if version != 2:
            self.ask("HELLO", str(version))

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def ask(self, *words: str | bytes | int) -> Reply:
        self.send(encode(*words))
        return self.read()

    # b"" when the server has closed the connection.
    def more(self) -> bool:
        data = self.socket.recv(1 << 16)
        self.buffer += data
        return bool(data)

    def line(self) -> bytes:
        while b"\r\n" not in self.buffer:
            if not self.more():
                raise EOFError(f"the server closed the connection; unread: {self.buffer[:200]!r}")
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def exactly(self, size: int) -> bytes:
        while len(self.buffer) < size + 2:
            if not self.more():
                raise EOFError("the server closed the connection inside a bulk")
        data, self.buffer = self.buffer[:size], self.buffer[size + 2 :]
        return data

    def read(self) -> Reply:
        line = self.line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return Simple(rest.decode())
        if kind == b"-":
            return Error(rest.decode(errors="replace"))
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return Null() if rest == b"-1" else self.exactly(int(rest))
        if kind == b"=":
            return Verbatim(self.exactly(int(rest)))
        if kind == b"_":
            return Null()
        if kind == b"*" and rest == b"-1":
            return NullArray()
        if kind == b"%":
            return Map([self.read() for _ in range(2 * int(rest))])
        if kind in (b"*", b"~", b">"):
            shape = {b"*": list, b"~": Set, b">": Push}[kind]
            return shape([self.read() for _ in range(int(rest))])
        if kind == b",":
            return float(rest)
        if kind == b"#":
            return rest == b"t"
        raise ValueError(f"not a reply: {line!r}")

    # Whether the server has closed: everything it still sends is dropped.
    def closed(self) -> bool:
        try:
            while self.more():
                self.buffer = b""
        except ConnectionResetError:
            pass
        return True
