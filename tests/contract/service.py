"""Service: one store and the Tocsin processes on it, and the clients that look at it from outside, through its public
API and nothing else."""

import asyncio
import json
import random
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parent.parent / "crash"))

import redis  # noqa: E402
from clients import Http, ProtocolError, WebSocket, token  # noqa: E402
from server import API_KEY, Server  # noqa: E402
from stores import Store  # noqa: E402

WAIT_S = 60  # for what must happen; no measure of speed
LOG_MAX = 200  # log_max_entries of the services under test: no case keeps more in one log, but the one about limits
LIMITED_CATEGORY = "limited"  # the only one with a rate limit
GONE = (OSError, EOFError)


def parse_id(text: str) -> tuple[int, int]:
    ms, _, n = text.partition("-")
    return int(ms), int(n)


# Waits until `probe` answers something true, and answers that.
async def until(probe: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + WAIT_S
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"waited {WAIT_S} s until {what}")
        await asyncio.sleep(0.01)


# The same for a probe that waits itself.
async def until_true(probe: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + WAIT_S
    while True:
        found = await probe()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"waited {WAIT_S} s until {what}")
        await asyncio.sleep(0.05)


# A service of so many nodes on the store, both started, and ended with the block; where that fails, with what the nodes
# have said last.
@asynccontextmanager
async def serving(binary: Path, directory: Path, store: Store, nodes: int, seed: int) -> AsyncIterator["Service"]:
    service = None
    try:
        store.start()
        service = Service(binary, directory, store, nodes, seed=seed)
        await service.start()
        yield service
    except BaseException:
        for node in service.nodes if service else []:
            print(f"a node's log ends with\n{node.log_tail()}")
        raise
    finally:
        if service is not None:
            await service.stop()
        store.stop()


class Service:
    # `nodes`: how many processes, where the store carries more than one. `settings`: for each of them.
    def __init__(self, binary: Path, directory: Path, store: Store, nodes: int = 0, settings: dict[str, str] | None = None,
                 seed: int = 0):  # fmt: skip
        self.store = store
        self.random = random.Random(seed)
        self.nodes: list[Server] = []
        for n in range(nodes or store.nodes):
            place = directory / f"node{n}"
            place.mkdir(parents=True)
            node = Server(binary, place)
            node.settings |= {"store": store.url(), "log_max_entries": str(LOG_MAX), "log_level": "info",
                              "rate_limits": f"{LIMITED_CATEGORY} most=2 per=4s", **(settings or {})}
            if store.name == "embedded":
                node.settings["redis_listen"] = "127.0.0.1:0"
            self.nodes.append(node)

    async def start(self) -> None:
        await asyncio.gather(*(node.start() for node in self.nodes))

    async def stop(self) -> None:
        for node in self.nodes:
            await node.discard()

    # One node ends as a crash ends it, and comes back; with one node that is the whole service.
    async def crash(self, which: int = 0) -> None:
        await self.nodes[which].kill()
        await self.nodes[which].start()

    async def crash_all(self) -> None:
        for node in self.nodes:
            await node.kill()
        await self.start()

    # Any node's port: no answer may hang on which one it is.
    def port(self) -> int:
        living = [node.port for node in self.nodes if node.process is not None and node.port]
        return self.random.choice(living or [1])  # where nobody listens

    def producer(self) -> redis.Redis:
        return self.store.producer(self.nodes[0].redis_port, API_KEY)

    # What a call of redis-py answers, made off this thread.
    async def ask(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        return await asyncio.to_thread(call, *arguments, **options)

    async def request(self, method: str, target: str, headers: dict[str, str], body: bytes = b"",
                      port: int = 0) -> tuple[int, bytes, dict[str, str]]:  # fmt: skip
        http = await Http.connect(port or self.port())
        try:
            status, answer = await http.request(method, target, headers, body)
            return status, answer, http.headers
        finally:
            http.close()

    # Publishes what must be accepted, and answers the nids.
    async def publish(self, *notifications: dict, port: int = 0) -> list[str]:
        one = len(notifications) == 1
        body = json.dumps(notifications[0] if one else notifications).encode()
        headers = {"x-api-key": API_KEY, "Content-Type": "application/json"}
        status, answer, _ = await self.request("POST", "/v1/notifications", headers, body, port)
        assert status == 202, f"{status} {answer!r}"
        nids = [accepted["nid"] for accepted in json.loads(answer)["items"]]
        assert len(nids) == len(notifications)
        return nids

    async def pull(self, user: str, query: str = "", port: int = 0) -> tuple[str, list[dict]]:
        headers = {"Authorization": f"Bearer {token(user)}"}
        status, answer, _ = await self.request("GET", f"/v1/pull?{query}", headers, port=port)
        assert status == 200, f"{status} {answer!r}"
        pulled = json.loads(answer)
        return pulled["cur"], pulled["frames"]

    # The same once there are as many as that: what was accepted is routed soon, not at once.
    async def routed(self, user: str, count: int) -> list[dict]:
        async def there() -> list[dict] | None:
            log = await self.log(user)
            return log if len(log) >= count else None

        return await until_true(there, f"{count} are in the log of {user}")

    # The user's whole log as a fresh device pulls it.
    async def log(self, user: str) -> list[dict]:
        cur, items = "", []
        while True:
            cur, frames = await self.pull(user, f"cur={cur}" if cur else "since=all")
            items += items_of(frames)
            if not any(frame["t"] in ("n", "st") for frame in frames):
                return items

    async def ack(self, user: str, device: str, cur: str, port: int = 0) -> int:
        headers = {"Authorization": f"Bearer {token(user)}"}
        body = json.dumps({"dev": device, "cur": cur}).encode()
        return (await self.request("POST", "/v1/ack", headers, body, port))[0]


def items_of(frames: list[dict]) -> list[dict]:
    return [item for frame in frames if frame["t"] == "n" for item in frame["items"]]


class Phone:
    """A device on a WebSocket that keeps the one rule of a client, and holds the server to it: a frame whose `prev` is
    not the cursor, or a notification that comes twice in a session, is a ProtocolError."""

    def __init__(self, service: Service, user: str, device: str = "", credit: int = 1024):
        self.service, self.user, self.device, self.credit = service, user, device, credit
        self.epoch = ""
        self.cursors: dict[str, str] = {}  # by channel; "": the user's own log
        self.socket: WebSocket | None = None
        self.number = 0
        self.forget()

    # What it got in this session and before.
    def forget(self) -> None:
        self.items: list[dict] = []
        self.states: list[dict] = []
        self.early: list[dict] = []
        self.frames = 0  # `n` and `st`
        self.ends: list[dict] = []

    @property
    def cursor(self) -> str:
        return self.cursors.get("", "")

    @cursor.setter
    def cursor(self, cur: str) -> None:
        self.cursors[""] = cur

    # Says hello with what it has (`cur` and `epoch` of its own, where it has them) and answers the welcome.
    async def connect(self, port: int = 0, **fields: Any) -> dict:
        self.welcome: dict | None = None
        self.bye: dict | None = None
        self.replies: dict[int, dict] = {}
        self.seen: set[str] = set()
        hello: dict[str, Any] = {"t": "hello", "tok": token(self.user), "credit": self.credit}
        if self.device:
            hello["dev"] = self.device
        if any(self.cursors.values()):
            only_own = "topics" not in fields
            hello |= {"cur": self.cursor if only_own else self.cursors, "epoch": self.epoch}
        hello |= fields
        self.socket = await WebSocket.connect(port or self.service.port(), self._take)
        self.socket.send({name: value for name, value in hello.items() if value is not None})
        await self.until(lambda: self.welcome is not None, "the welcome comes")
        return self.welcome

    async def until(self, probe: Callable[[], Any], what: str) -> Any:
        def look() -> Any:
            assert self.socket is not None
            if self.socket.error is not None:
                raise ProtocolError(repr(self.socket.error)) from self.socket.error
            found = probe()
            if not found and self.socket.closed.done():
                raise AssertionError(f"the socket of {self.user} was closed ({self.bye}) before {what}")
            return found

        return await until(look, f"{what} ({self.user} has {len(self.items)} items)")

    # Until it has as many items as that, in all.
    async def has(self, count: int) -> list[str]:
        await self.until(lambda: len(self.items) >= count, f"{count} items are there")
        assert len(self.items) == count, f"{len(self.items)} items came, not {count}"
        return [item["nid"] for item in self.items]

    def _take(self, text: str) -> None:
        for line in text.split("\n"):
            frame = json.loads(line)
            match frame["t"]:
                case "welcome":
                    self.welcome = frame
                    self.epoch = frame["epoch"]
                    self.cursors = frame["cur"] if isinstance(frame["cur"], dict) else {"": frame["cur"]}
                case "n" | "st":
                    self.frames += 1
                    self._apply(frame)
                case "ping":
                    self.socket.send({"t": "pong", "ts": frame["ts"]})
                case "end":
                    self.ends.append(frame)
                    del self.cursors[frame["ch"]]
                case "ok" | "err":
                    for topic, result in frame.get("topics", {}).items():
                        if "cur" in result:
                            self.cursors[topic] = result["cur"]
                    self.replies[frame.get("i", -1)] = frame
                case "bye":
                    self.bye = frame
                case "warn":
                    pass
                case _:
                    raise ProtocolError(f"a frame {line}")

    def _apply(self, frame: dict) -> None:
        channel = frame.get("ch", "")
        cursor = self.cursors[channel]
        if frame["t"] == "n" and frame["prev"] is None:  # early copies: shown at once, and again in their order
            if frame["cur"] != cursor or any("id" in item for item in frame["items"]):
                raise ProtocolError(f"early copies that claim a place: {frame}")
            self.early += frame["items"]
            return
        if frame["prev"] != cursor:
            raise ProtocolError(f"prev is {frame['prev']}, the cursor {cursor} ({channel!r})")
        if parse_id(frame["cur"]) <= parse_id(cursor):
            raise ProtocolError(f"cur {frame['cur']} does not follow {cursor} ({channel!r})")
        self.cursors[channel] = frame["cur"]
        if frame["t"] == "st":
            self.states.append(frame)
            return
        for item in frame["items"]:
            if item["nid"] in self.seen:
                raise ProtocolError(f"{item['nid']} came twice in a session")
            self.seen.add(item["nid"])
            self.items.append(item)

    async def ask(self, frame: dict) -> dict:
        self.number += 1
        number = self.number
        self.socket.send({**frame, "i": number})
        return await self.until(lambda: self.replies.get(number), f"the answer to {frame} comes")

    async def mark(self, op: str, *nids: str, **fields: Any) -> dict:
        reply = await self.ask({"t": "mark", "op": op, **({"ids": list(nids)} if nids else {}), **fields})
        assert reply["t"] == "ok", reply
        return reply["counts"]

    async def list(self, **fields: Any) -> dict:
        reply = await self.ask({"t": "list", **fields})
        assert reply["t"] == "ok", reply
        return reply

    def ack(self) -> None:
        for channel, cur in self.cursors.items():
            self.socket.send({"t": "ack", "cur": cur} | ({"ch": channel} if channel else {}))

    async def close(self) -> None:
        if self.socket is not None:
            await self.socket.close()
            if self.socket.error is not None:
                raise ProtocolError(repr(self.socket.error)) from self.socket.error
            self.socket = None

    async def lose(self) -> None:
        self.socket.abort()
        await self.socket.closed


class Events:
    """Server-sent events, as curl has them."""

    def __init__(self, service: Service, user: str):
        self.service, self.user = service, user
        self.frames: list[tuple[str, dict]] = []  # id and data of each event
        self.ended = False

    async def connect(self, query: str = "", last_event_id: str = "", port: int = 0) -> None:
        reader, self.writer = await asyncio.open_connection("127.0.0.1", port or self.service.port())
        last = f"Last-Event-ID: {last_event_id}\r\n" if last_event_id else ""
        self.writer.write(
            f"GET /v1/events?{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n{last}"
            f"Authorization: Bearer {token(self.user)}\r\n\r\n".encode()
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        assert head.startswith("HTTP/1.1 200 ") and "text/event-stream" in head, head
        self.reading = asyncio.create_task(self._read(reader))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        last, data = "", []
        while True:
            line = (await reader.readline()).decode()
            if not line:
                self.ended = True
                return
            name, _, value = line.rstrip("\r\n").partition(":")
            if name == "id":
                last = value.removeprefix(" ")
            elif name == "data":
                data.append(value.removeprefix(" "))
            elif line == "\n" and data:
                self.frames.append((last, json.loads("\n".join(data))))
                data = []

    @property
    def items(self) -> list[dict]:
        return items_of([frame for _, frame in self.frames])

    async def has(self, count: int) -> list[str]:
        await until(lambda: len(self.items) >= count or self.ended, f"{count} events are there")
        assert len(self.items) == count, f"{len(self.items)} items came, not {count}"
        return [item["nid"] for item in self.items]

    async def close(self) -> None:
        self.writer.close()
        self.reading.cancel()
        await asyncio.gather(self.reading, return_exceptions=True)
