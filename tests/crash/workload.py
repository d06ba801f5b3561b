"""The load of the crash tests: producers that publish, devices that read, ack, mark and come back. They log what they
did and saw for the checker, and take a server that is gone as a matter of course."""

import asyncio
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from checker import Answer, Checker, Entry, Frame, Notification, Report, Request, Session, id_text, parse_id
from clients import Http, ProtocolError, WebSocket, token
from server import API_KEY, WAIT_S, Server

ACK_EVERY = 32  # items, or
ACK_MS = 250  # after the first item without an ack, as an SDK does
GONE = (OSError, EOFError)  # the connection ended; asyncio.IncompleteReadError is an EOFError
DRAIN = 4200


@dataclass
class World:
    """What all of a test's producers and devices share."""

    server: Server
    seed: int
    users: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    devices: list["Device"] = field(default_factory=list)
    marks: list[tuple[str, str]] = field(default_factory=list)  # user and nid: confirmed as read
    unexpected: list[str] = field(default_factory=list)  # answers and frames that no crash explains
    up: asyncio.Event = field(default_factory=asyncio.Event)
    answered: asyncio.Event = field(default_factory=asyncio.Event)  # a publish got its 202
    restless: float = 0.2  # how many sessions end from the device's side
    publishing: bool = True
    marking: bool = True
    reading: bool = True
    texts: dict[str, str] = field(default_factory=dict)  # one copy of each string that is logged many times

    def random(self, name: str) -> random.Random:
        return random.Random(f"{self.seed} {name}")

    def one(self, text: str) -> str:
        return self.texts.setdefault(text, text)


class Producer:
    """Publishes over one connection, one request at a time: singles, arrays, several users."""

    def __init__(self, world: World, name: str):
        self.world = world
        self.name = name
        self.random = world.random(name)
        self.count = 0

    def _notification(self) -> tuple[Notification, dict]:
        self.count += 1
        filling = "." * self.random.choice((0, 20, 200, 200, 2_000))
        several = len(self.world.users) > 6 and self.random.random() < 0.3
        users = self.random.sample(self.world.users, self.random.randint(2, 6) if several else 1)
        priority = self.random.choices(("normal", "low", "high", "critical"), (7, 1, 1, 1))[0]
        notification = Notification(self.world.one(f"{self.name} {self.count} {filling}"), tuple(users), priority)
        to = {"user_id": users[0]} if len(users) == 1 else {"user_ids": users}
        return notification, {**to, "message": notification.body, "priority": priority}

    async def run(self) -> None:
        http: Http | None = None
        while self.world.publishing:
            await self.world.up.wait()
            try:
                http = http or await Http.connect(self.world.server.port)
                await self.publish(http, 1 if self.random.random() < 0.6 else self.random.randint(2, 30))
                if http.closes:
                    http.close()
                    http = None
            except GONE:
                if http is not None:
                    http.close()
                    http = None
                await asyncio.sleep(0.01)  # the crash may not be known yet
            await asyncio.sleep(self.random.random() * 0.01)
        if http is not None:
            http.close()

    # One request. It is in the log before it is sent.
    async def publish(self, http: Http, count: int) -> None:
        pairs = [self._notification() for _ in range(count)]
        request = Request([notification for notification, _ in pairs])
        self.world.requests.append(request)
        body = json.dumps([field for _, field in pairs] if count > 1 else pairs[0][1]).encode()
        headers = {"x-api-key": API_KEY, "Content-Type": "application/json"}
        status, answer = await http.request("POST", "/v1/notifications", headers, body)
        if status == 202:
            self.world.answered.set()
            request.answer = Answer.ACCEPTED
            request.nids = [self.world.one(item["nid"]) for item in json.loads(answer)["items"]]
            if len(request.nids) != count:
                self.world.unexpected.append(f"{count} were published, {len(request.nids)} accepted")
        else:
            request.answer = Answer.REFUSED
            if status != 503:  # shutting down, or too much waits
                self.world.unexpected.append(f"a publish was answered {status} {answer.decode()[:200]}")


class End(NamedTuple):
    """How a session ended."""

    session: Session
    bye: dict | None
    close_code: int | None


# Where a device that comes back says it stands: where it does; where its last ack was; nowhere, so the server's stored
# cursor counts.
APPLIED, ACKED, STORED = "applied", "acked", "stored"


class Device:
    """One device of a user: a session at a time, from one crash to the next."""

    def __init__(self, world: World, user: str, name: str, returns: str, credit: int = 64):
        self.world = world
        self.user, self.name, self.returns, self.credit = user, name, returns, credit
        self.random = world.random(f"{user} {name}")
        self.log = Session(user, name)  # of the session that is, or was the last
        self.sessions: list[Session] = []
        self.cursor: int | None = None  # that of the last frame applied
        self.acked = 0  # the highest that it has acknowledged
        self.known_stored = 0  # the highest that the server has confirmed
        self.epoch = ""
        self.socket: WebSocket | None = None
        self.bye: dict | None = None
        self.mark_due: str | None = None  # nid of the mark that waits for its answer
        self.last_number = 0
        self.ends: list[End] = []
        self.token = token(user)

    async def run(self) -> None:
        while self.world.reading:
            await self.world.up.wait()
            try:
                await self.session(self._life())
            except GONE:
                await asyncio.sleep(0.01)
            except ProtocolError as error:
                self.world.unexpected.append(f"{self.name} of {self.user}: {error}")
                return

    # Some sessions end from this side, as when a network is lost.
    def _life(self) -> float | None:
        return 0.05 + self.random.random() if self.random.random() < self.world.restless else None

    async def session(self, life: float | None = None) -> None:
        self.log = Session(self.user, self.name, known_stored=self.known_stored, sent=self.acked)
        self.unacked = 0
        self.ack_timer: asyncio.TimerHandle | None = None
        self.mark_due = self.bye = None
        self.sessions.append(self.log)
        self.socket = socket = await WebSocket.connect(self.world.server.port, self._take)
        self._say_hello()
        confirming = asyncio.create_task(self._confirm_sometimes())
        await asyncio.wait([socket.closed], timeout=life)
        while not socket.closed.done() and self.mark_due is not None:  # a mark that nobody waits for could come late
            await asyncio.sleep(0.01)
        socket.abort()
        self.ends.append(End(self.log, self.bye, await socket.closed))
        confirming.cancel()
        if self.ack_timer is not None:
            self.ack_timer.cancel()
        if socket.error is not None:
            raise ProtocolError(repr(socket.error)) from socket.error

    def _say_hello(self) -> None:
        hello = {"t": "hello", "tok": self.token, "credit": self.credit}
        if self.name:
            hello["dev"] = self.name
        if self.returns != STORED and self.cursor is not None:
            given = self.cursor if self.returns == APPLIED else self.acked
            hello |= {"cur": id_text(given), "epoch": self.epoch}
            self.log.given = given
            self.acked = max(self.acked, given)
        self.socket.send(hello)

    def _take(self, text: str) -> None:
        for line in text.split("\n"):
            frame = json.loads(line)
            match frame["t"]:
                case "welcome":
                    self._take_welcome(frame)
                case "n" if frame["prev"] is None:
                    self._take_early(frame["items"])
                case "n":
                    self._take_frame(frame, frame["items"])
                case "st":
                    self._take_frame(frame, ())
                case "ping":
                    self.socket.send({"t": "pong", "ts": frame["ts"]})
                case "ok" if self.mark_due is not None and frame["i"] == self.last_number:
                    self.world.marks.append((self.user, self.mark_due))
                    self.mark_due = None
                case "bye":
                    self.bye = frame
                    if frame["code"] != DRAIN:
                        self.world.unexpected.append(f"{self.name} of {self.user} got {line}")
                case "err" if frame["code"] == "unavailable":  # shutting down
                    self.mark_due = None
                case _:
                    self.world.unexpected.append(f"{self.name} of {self.user} got {line}")

    def _take_welcome(self, frame: dict) -> None:
        log = self.log
        log.resume, log.epoch, log.start = frame["resume"], self.world.one(frame["epoch"]), parse_id(frame["cur"])
        log.unread = frame["counts"]["unread"]
        self.head = parse_id(frame["head"])
        self.epoch, self.cursor = log.epoch, log.start

    # Early copies of what is urgent: shown at once, and again in their order.
    def _take_early(self, items: list[dict]) -> None:
        one = self.world.one
        self.log.early += [Entry(0, one(i["nid"]), one(i["body"]), one(i["prio"]), one(i["state"])) for i in items]
        self.socket.send({"t": "ack", "nids": [item["nid"] for item in items]})

    def _take_frame(self, frame: dict, items: list[dict]) -> None:
        one = self.world.one
        entries = tuple(
            Entry(parse_id(i["id"]), one(i["nid"]), one(i["body"]), one(i["prio"]), one(i["state"])) for i in items
        )
        self.log.frames.append(Frame(parse_id(frame["prev"]), parse_id(frame["cur"]), entries))
        self.cursor = parse_id(frame["cur"])
        self.unacked += len(entries)
        if self.unacked >= ACK_EVERY:
            self.ack()
        elif self.unacked > 0 and self.ack_timer is None:
            self.ack_timer = asyncio.get_running_loop().call_later(ACK_MS / 1000, self.ack)
        if entries and self.world.marking and self.name and self.mark_due is None and self.random.random() < 0.05:
            self._mark(self.random.choice(entries).nid)

    def ack(self) -> None:
        if self.ack_timer is not None:
            self.ack_timer.cancel()
            self.ack_timer = None
        self.unacked = 0
        self.acked = max(self.acked, self.cursor)
        self.socket.send({"t": "ack", "cur": id_text(self.cursor)})

    def _mark(self, nid: str) -> None:
        self.mark_due = nid
        self.last_number += 1
        mid = f"{self.name}-{self.last_number}"
        self.socket.send({"t": "mark", "i": self.last_number, "op": "read", "ids": [nid], "mid": mid})

    # A receipt over HTTP is answered once it is synced: from then on the device must not be sent back behind it.
    async def _confirm_sometimes(self) -> None:
        while self.returns == STORED:
            await asyncio.sleep(0.1 + self.random.random())
            try:
                await self.confirm()
            except GONE:
                return

    async def confirm(self) -> None:
        if self.cursor is None:
            return
        cursor = self.cursor
        self.acked = max(self.acked, cursor)
        body = json.dumps({"dev": self.name, "cur": f"{self.epoch}:{id_text(cursor)}"}).encode()
        http = await Http.connect(self.world.server.port)
        try:
            status, answer = await http.request("POST", "/v1/ack", {"Authorization": f"Bearer {self.token}"}, body)
        finally:
            http.close()
        if status == 204:
            self.known_stored = max(self.known_stored, cursor)
        elif status != 503:
            self.world.unexpected.append(f"a receipt was answered {status} {answer.decode()[:200]}")


# Waits until `probe` is true, and says what for where it does not come true.
async def until(probe: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + WAIT_S
    while not probe():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {WAIT_S} s until {what}")
        await asyncio.sleep(0.02)


# One session of the device until `goal`; then it acks and ends properly, so the server has taken the ack.
async def visit(device: Device, goal: Callable[[], bool], what: str) -> Session:
    device.log = Session(device.user, device.name)  # not the last one's
    reading = asyncio.create_task(device.session())
    await until(lambda: reading.done() or (device.log.resume != "" and goal()), what)
    if not reading.done():
        device.ack()
        await device.socket.close()
    await reading
    return device.log


# The whole log of a user as a fresh device, without a name, reads it. The server is up, nobody publishes.
async def read_log(world: World, user: str) -> Session:
    device = Device(world, user, "", APPLIED, credit=1024)
    return await visit(device, lambda: device.cursor >= device.head, f"a fresh device has all of {user}'s log")


class Load:
    """Producers and devices, from their start to the verdict over them."""

    def __init__(self, world: World, users: int, producers: int):
        self.world = world
        # Names that begin alike, and that a key with separators would confuse.
        world.users += [f"user{n}" if n % 2 else f"user{n // 2}:{n}" for n in range(users)]
        for number, user in enumerate(world.users):
            world.devices.append(Device(world, user, "phone", APPLIED))
            world.devices.append(Device(world, user, "laptop", STORED))
            if number % 2:
                world.devices.append(Device(world, user, "watch", ACKED, credit=256))
        self.producers = [Producer(world, f"producer{n}") for n in range(producers)]

    def start(self) -> None:
        self.publishing = [asyncio.create_task(producer.run()) for producer in self.producers]
        self.reading = [asyncio.create_task(device.run()) for device in self.world.devices]

    # The server is up and stays so: everything comes to its end and is checked.
    async def settle(self) -> Report:
        world = self.world
        world.publishing = world.marking = False
        await asyncio.wait_for(asyncio.gather(*self.publishing), WAIT_S)
        await until(lambda: all(d.mark_due is None for d in world.devices), "the marks are answered")
        logs = {user: await read_log(world, user) for user in world.users}
        try:
            await until(lambda: all(d.cursor is not None and d.cursor >= logs[d.user].end for d in world.devices),
                        "the devices have caught up")  # fmt: skip
        except TimeoutError as error:  # the checker may know why
            world.unexpected.append(str(error))
        world.reading = False

        def all_gone() -> bool:  # one may be about to come back
            for device in world.devices:
                if device.socket is not None:
                    device.socket.abort()
            return all(task.done() for task in self.reading)

        await until(all_gone, "the devices have ended")
        await asyncio.gather(*self.reading)
        checker = Checker(world.requests, logs.values())
        for device in world.devices:
            checker.check_device(device.sessions)
        for user, nid in world.marks:
            checker.check_mark(user, nid, "read")
        return checker.report

    # For the end of a test, whatever came before.
    async def discard(self) -> None:
        for task in self.publishing + self.reading:
            task.cancel()
        await asyncio.gather(*self.publishing, *self.reading, return_exceptions=True)


# Says what came out; the exit status.
def verdict(world: World, report: Report) -> int:
    published = sum(len(request.notifications) for request in world.requests)
    print(f"published {published} in {len(world.requests)} requests; marks confirmed {len(world.marks)}")
    print(report.text())
    server_log = world.server.log.read_text(errors="replace")
    world.unexpected += [line for line in server_log.splitlines() if "Sanitizer:" in line]
    for words in world.unexpected[:20]:
        print(f"unexpected: {words}")
    good = report.clean and not world.unexpected
    if good:
        print("good")
    else:
        print(f"BAD: run it again with --seed={world.seed}; the server's log ends with\n{world.server.log_tail()}")
    return 0 if good else 1
