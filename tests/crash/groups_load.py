"""The load of groups.py: producers, consumers of two groups on three streams, somebody who trims and somebody who
moves groups about. Every command is on the list before it is sent, its answer before the next one is.

  calm     nothing is deleted; singles, pipelines and MULTI with an ack
  busy     MAXLEN, XTRIM, XDEL, XACKDEL
  ingest   notifications_stream, which the router reads too; MAXLEN

On each, the group `strict` reads, acks, claims and gives back. In the group `shifting` there are XGROUP SETID,
DELCONSUMER, NOACK and XCLAIM FORCE besides."""

import asyncio
import random
from collections import defaultdict, deque

from groups_checker import Command, Failure, Id, Reply, entries_of, id_text, parse_id
from resp_client import Resp
from server import Server

INGEST = "notifications_stream"
STRICT, SHIFTING = "strict", "shifting"
GONE = (OSError, EOFError)  # the connection ended; asyncio.IncompleteReadError is an EOFError
KEPT_IN_HAND = 300  # ids that a consumer has yet to ack: more, and it lets them be


class Load:
    def __init__(self, server: Server, seed: int):
        self.server = server
        self.seed = seed
        self.moment = 0
        self.commands: list[Command] = []  # of this cycle
        self.units = 0
        self.unexpected: list[str] = []
        self.up = asyncio.Event()
        self.answered = asyncio.Event()  # a write was answered
        self.ids: dict[str, deque[Id]] = defaultdict(lambda: deque(maxlen=500))
        self.calm, self.busy = "", ""
        self.clients: list[Client] = [Producer(self, f"producer{n}") for n in range(6)]
        self.clients += [Consumer(self, f"consumer{n}") for n in range(8)]
        self.clients += [Trimmer(self, "trimmer"), Mover(self, "mover")]

    def random(self, name: str) -> random.Random:
        return random.Random(f"{self.seed} {name}")

    def now(self) -> int:
        self.moment += 1
        return self.moment

    @property
    def keys(self) -> tuple[str, str, str]:
        return self.calm, self.busy, INGEST

    def start(self) -> None:
        self.tasks = [asyncio.create_task(client.run()) for client in self.clients]

    # Until the clients have noticed that the server is gone: nothing is under way any more.
    async def rest(self) -> None:
        while any(not client.resting for client in self.clients):
            for task in self.tasks:
                if task.done():
                    task.result()  # it has failed
            await asyncio.sleep(0.002)

    async def discard(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


class Client:
    def __init__(self, load: Load, name: str):
        self.load, self.name = load, name
        self.random = load.random(name)
        self.resp: Resp | None = None
        self.resting = False

    async def run(self) -> None:
        while True:
            if not self.load.up.is_set():
                self._disconnect()
                self.resting = True
            await self.load.up.wait()
            self.resting = False
            try:
                self.resp = self.resp or await Resp.connect(self.load.server.redis_port)
                await self.step()
            except GONE:
                self._disconnect()
            await asyncio.sleep(self.random.choice((0, 0, 0.001, 0.003)))

    def _disconnect(self) -> None:
        if self.resp is not None:
            self.resp.close()
        self.resp = None

    async def step(self) -> None:
        raise NotImplementedError

    def chance(self, of: float) -> bool:
        return self.random.random() < of

    def _note(self, words: tuple[str, ...], unit: int = 0, pipeline: int = 0) -> Command:
        command = Command(self.name, words, self.load.now(), unit=unit, pipeline=pipeline)
        self.load.commands.append(command)
        return command

    def _take(self, command: Command, reply: Reply) -> None:
        command.answered, command.reply = self.load.now(), reply
        if isinstance(reply, Failure):
            self.load.unexpected.append(f"{command.text()} was answered {reply}")
        if command.name in ("XADD", "XACK", "XCLAIM", "XDEL"):
            self.load.answered.set()
        if command.name == "XADD" and isinstance(reply, str):
            self.load.ids[command.words[1]].append(parse_id(reply))

    async def ask(self, *words: str) -> Reply:
        assert self.resp is not None
        command = self._note(words)
        self._take(command, await self.resp.ask(*words))
        return command.reply

    # Sent at once.
    async def pipeline(self, several: list[tuple[str, ...]]) -> None:
        assert self.resp is not None
        self.load.units += 1
        commands = [self._note(words, pipeline=self.load.units) for words in several]
        for command in commands:
            self.resp.send(*command.words)
        for command in commands:
            self._take(command, await self.resp.read())

    async def transaction(self, several: list[tuple[str, ...]]) -> None:
        assert self.resp is not None
        self.load.units += 1
        commands = [self._note(words, unit=self.load.units) for words in several]
        self.resp.send("MULTI")
        for command in commands:
            self.resp.send(*command.words)
        self.resp.send("EXEC")
        for _ in range(len(commands) + 1):
            await self.resp.read()
        replies = await self.resp.read()
        if not isinstance(replies, list):
            self.load.unexpected.append(f"EXEC was answered {replies}")
            replies = [Failure("EXEC")] * len(commands)
        for command, reply in zip(commands, replies):
            self._take(command, reply)

    def some_ids(self, key: str, count: int) -> list[str]:
        known = self.load.ids[key]
        return [id_text(id) for id in self.random.sample(list(known), min(count, len(known)))]


class Producer(Client):
    def __init__(self, load: Load, name: str):
        super().__init__(load, name)
        self.count = 0

    def add(self, key: str, *trim: str) -> tuple[str, ...]:
        self.count += 1
        message = f"{self.name} {self.count} {'.' * self.random.choice((0, 10, 100, 1_000))}"
        return "XADD", key, *trim, "*", "user_id", f"user{self.random.randrange(20)}", "message", message

    async def step(self) -> None:
        load = self.load
        form = self.random.randrange(10)
        if form < 2:
            await self.pipeline([self.add(load.calm) for _ in range(self.random.randint(2, 8))])
        elif form < 3:
            await self.transaction([self.add(key) for key in self.random.choices(load.keys, (3, 1, 1), k=3)])
        elif form < 6:
            await self.ask(*self.add(load.calm))
        elif form < 8:
            trim = ("MAXLEN", self.random.choice("=~"), str(self.random.randint(50, 300))) if self.chance(0.4) else ()
            await self.ask(*self.add(load.busy, *trim))
        else:
            trim = ("MAXLEN", "~" if self.chance(0.7) else "=", "400") if self.chance(0.4) else ()
            await self.ask(*self.add(INGEST, *trim))


class Consumer(Client):
    def __init__(self, load: Load, name: str):
        super().__init__(load, name)
        self.in_hand: dict[tuple[str, str], list[Id]] = defaultdict(list)

    async def step(self) -> None:
        key, group = self.random.choice(self.load.keys), STRICT if self.chance(0.7) else SHIFTING
        form = self.random.random()
        if form < 0.45:
            await self.read(key, group)
        elif form < 0.75:
            await self.ack(key, group)
        elif form < 0.8:
            await self.history(key, group)
        elif form < 0.87:
            await self.claim(key, group)
        elif form < 0.92:
            await self.autoclaim(key, group)
        elif form < 0.96:
            await self.give_back(key, group)
        else:
            await self.remove(group)

    def _got(self, key: str, group: str, entries: list[tuple[Id, str | None]]) -> None:
        self.in_hand[key, group] = (self.in_hand[key, group] + [id for id, _ in entries])[-KEPT_IN_HAND:]

    async def read(self, key: str, group: str) -> None:
        keys = [key]
        if self.chance(0.2):
            keys = self.random.sample(self.load.keys, 2)
        count = str(self.random.randint(1, 20))
        noack = ["NOACK"] if group == SHIFTING and self.chance(0.2) else []
        block = ["BLOCK", "20"] if self.chance(0.4) else []
        words = ["XREADGROUP", "GROUP", group, self.name, "COUNT", count, *noack, *block, "STREAMS", *keys]
        for of, entries in await self.ask(*words, *(">" for _ in keys)) or []:  # type: ignore[union-attr]
            if not noack:
                self._got(of, group, entries_of(entries))

    async def history(self, key: str, group: str) -> None:
        words = ("XREADGROUP", "GROUP", group, self.name, "COUNT", "50", "STREAMS", key, "0")
        for of, entries in await self.ask(*words) or []:  # type: ignore[union-attr]
            self._got(of, group, entries_of(entries))

    async def ack(self, key: str, group: str) -> None:
        hand = self.in_hand[key, group]
        taken = hand[: self.random.randint(1, 30)]
        if not taken:
            return
        del hand[: len(taken)]
        taken = [id for id in taken if self.chance(0.9)]  # the others stay pending, for whoever claims them
        if not taken:
            return
        words = ("XACK", key, group, *map(id_text, dict.fromkeys(taken)))
        if key == self.load.calm and self.chance(0.2):
            self.load.units += 1
            message = f"{self.name} {self.load.units}"
            await self.transaction([words, ("XADD", key, "*", "user_id", "acked", "message", message)])
        else:
            await self.ask(*words)

    async def claim(self, key: str, group: str) -> None:
        listed = await self.ask("XPENDING", key, group, "-", "+", "30")
        if not isinstance(listed, list) or not listed:
            return
        ids = self.random.sample([id for id, *_ in listed], self.random.randint(1, min(10, len(listed))))
        force = group == SHIFTING and self.chance(0.3)
        if force:
            ids += self.some_ids(key, 5)
        justid = self.chance(0.3)
        options = ["FORCE"] * force + ["JUSTID"] * justid
        claimed = await self.ask("XCLAIM", key, group, self.name, "0", *dict.fromkeys(ids), *options)
        assert isinstance(claimed, list)
        self._got(key, group, [(parse_id(id), None) for id in claimed] if justid else entries_of(claimed))

    async def autoclaim(self, key: str, group: str) -> None:
        justid = ["JUSTID"] if self.chance(0.3) else []
        words = ("XAUTOCLAIM", key, group, self.name, self.random.choice(("0", "30")), "0", "COUNT", "20", *justid)
        claimed = await self.ask(*words)
        assert isinstance(claimed, list)
        self._got(key, group, [(parse_id(id), None) for id in claimed[1]] if justid else entries_of(claimed[1]))

    async def give_back(self, key: str, group: str) -> None:
        hand = self.in_hand[key, group]
        taken = list(dict.fromkeys(hand[:5]))
        del hand[:5]
        if taken:
            how = self.random.choice(("SILENT", "FAIL"))
            await self.ask("XNACK", key, group, how, "IDS", str(len(taken)), *map(id_text, taken))

    async def remove(self, group: str) -> None:
        key = self.load.busy
        if self.chance(0.5):
            ids = self.some_ids(key, 4)
            if ids:
                await self.ask("XDEL", key, *ids)
        elif taken := list(dict.fromkeys(self.in_hand[key, group][:4])):
            del self.in_hand[key, group][:4]
            await self.ask("XACKDEL", key, group, "KEEPREF", "IDS", str(len(taken)), *map(id_text, taken))


class Trimmer(Client):
    async def step(self) -> None:
        key = self.load.busy
        how = self.random.choice("=~")
        if self.chance(0.5):
            await self.ask("XTRIM", key, "MAXLEN", how, str(self.random.randint(20, 300)))
        elif known := self.load.ids[key]:
            await self.ask("XTRIM", key, "MINID", how, id_text(self.random.choice(list(known)[: len(known) // 2 + 1])))
        await asyncio.sleep(self.random.random() * 0.05)


class Mover(Client):
    """Moves the position of `shifting`, and reads as consumers that it then deletes."""

    def __init__(self, load: Load, name: str):
        super().__init__(load, name)
        self.count = 0

    async def step(self) -> None:
        key = self.random.choice(self.load.keys)
        if self.chance(0.4):
            start = self.random.choice(["$", "0", *self.some_ids(key, 4)])
            await self.ask("XGROUP", "SETID", key, SHIFTING, start)
        else:
            self.count += 1
            self.name = f"passing{self.count}"
            words = ("XREADGROUP", "GROUP", SHIFTING, self.name, "COUNT", "5", "STREAMS", key, ">")
            await self.ask(*words)
            if self.chance(0.8):
                await self.ask("XGROUP", "DELCONSUMER", key, SHIFTING, self.name)
        await asyncio.sleep(self.random.random() * 0.02)
