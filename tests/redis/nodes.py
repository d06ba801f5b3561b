"""Nodes: several Tocsin processes on one store, to the load of tests/crash like one server; and that load, for nodes: its
producers and devices go to any node that lives, and some producers XADD to the store itself."""

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
for folder in ("contract", "crash"):
    sys.path.append(str(HERE.parent / folder))

from checker import Answer, Report, Request  # noqa: E402
from clients import Http, ProtocolError  # noqa: E402
from groups_checker import Failure  # noqa: E402
from resp_client import Resp  # noqa: E402
from server import API_KEY, WAIT_S, Server  # noqa: E402
from stores import INGEST, RedisProcess, Store  # noqa: E402
from workload import APPLIED, GONE, STORED, Device, Load, Producer, World  # noqa: E402


def log_lines(node: Server) -> list[dict]:
    lines = node.log.read_text(errors="replace").splitlines() if node.log.exists() else []
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]


class Nodes:
    def __init__(self, binary: Path, directory: Path, store: Store, count: int, seed: int):
        self.store = store
        self.random = random.Random(f"{seed} nodes")
        self.nodes: list[Server] = []
        for n in range(count):
            place = directory / f"tocsin{n}"
            place.mkdir(parents=True)
            node = Server(binary, place)
            node.settings |= {"store": store.url(), "cores": "1"}
            self.nodes.append(node)

    async def start(self) -> None:
        await asyncio.gather(*(node.start() for node in self.nodes))

    async def discard(self) -> None:
        for node in self.nodes:
            if node.process is not None and node.process.returncode is None:
                node.process.send_signal(signal.SIGCONT)
            await node.discard()

    @property
    def port(self) -> int:
        living = [node.port for node in self.nodes if node.process is not None and node.port]
        return self.random.choice(living or [1])  # nobody listens there

    # The node that routes, as the logs say: the last that has taken the lease, if its process is still the same.
    def router(self) -> Server | None:
        takers = []
        for node in self.nodes:
            last = [line for line in log_lines(node) if line["event"] in ("ready", "lease_taken", "lease_lost")][-1:]
            if last and last[0]["event"] == "lease_taken" and node.process is not None:
                takers.append((last[0]["ts"], node.directory.name, node))
        return max(takers)[2] if takers else None

    def log_tail(self) -> str:
        return "\n".join(f"{node.directory.name}: {node.log_tail()}" for node in self.nodes)

    # What the nodes' logs say of one kind of event.
    def events(self, name: str) -> list[dict]:
        return [line for node in self.nodes for line in log_lines(node) if line["event"] == name]

    # What no log may have: findings of a sanitizer.
    def alarms(self) -> list[str]:
        return [line for node in self.nodes for line in node.log.read_text(errors="replace").splitlines() if "Sanitizer:" in line]

    # Seconds of CPU that each process has had, for those that live.
    def cpu_seconds(self) -> list[float]:
        seconds = []
        for node in self.nodes:
            if node.process is not None:
                fields = Path(f"/proc/{node.process.pid}/stat").read_text().rpartition(")")[2].split()
                seconds.append((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))
        return seconds


class NodeProducer(Producer):
    """Over HTTP, at any node. A 503 of a node whose store went away while it was asked does not say whether the store has
    it: as good as no answer (an array is one transaction there, so it is whole or not at all)."""

    def __init__(self, world: World, name: str, pause: float):
        super().__init__(world, name)
        self.pause = pause
        self.refused = 0  # with 503
        self.without_retry = 0  # of those, without Retry-After

    async def publish(self, http: Http, count: int) -> None:
        pairs = [self._notification() for _ in range(count)]
        request = Request([notification for notification, _ in pairs])
        self.world.requests.append(request)
        body = json.dumps([field for _, field in pairs] if count > 1 else pairs[0][1]).encode()
        headers = {"x-api-key": API_KEY, "Content-Type": "application/json"}
        status, answer = await http.request("POST", "/v1/notifications", headers, body)
        if status == 202:
            request.nids = [self.world.one(item["nid"]) for item in json.loads(answer)["items"]]
            request.answer = Answer.ACCEPTED
            if len(request.nids) != count:
                self.world.unexpected.append(f"{count} were published, {len(request.nids)} accepted")
        elif status == 503:
            self.refused += 1
            self.without_retry += "retry-after" not in http.headers
            await asyncio.sleep(0.2)
        else:
            self.world.unexpected.append(f"a publish was answered {status} {answer.decode()[:200]}")
        await asyncio.sleep(self.pause * self.random.random() * 2)


class Adder(Producer):
    """Over the store's own protocol: XADD to the primary of the ingest stream."""

    def __init__(self, world: World, name: str, primary, pause: float):  # primary: () -> RedisProcess
        super().__init__(world, name)
        self.primary, self.pause = primary, pause

    async def run(self) -> None:
        resp: Resp | None = None
        while self.world.publishing:
            try:
                if resp is None:
                    process: RedisProcess = await asyncio.to_thread(self.primary)
                    resp = await Resp.connect(process.port)
                notification, fields = self._notification()
                request = Request([notification])
                self.world.requests.append(request)
                if "user_ids" in fields:
                    fields["user_ids"] = json.dumps(fields["user_ids"])
                words = [word for pair in fields.items() for word in pair]
                answer = await resp.ask("XADD", INGEST, "*", *words)
                if isinstance(answer, Failure):
                    request.answer = Answer.REFUSED
                    resp.close()
                    resp = None
                    await asyncio.sleep(0.2)
                else:
                    request.nids = [self.world.one(str(answer))]
                    request.answer = Answer.ACCEPTED
                await asyncio.sleep(self.pause * self.random.random() * 2)
            except (*GONE, ProtocolError, StopIteration):
                if resp is not None:
                    resp.close()
                resp = None
                await asyncio.sleep(0.1)
            except Exception:  # redis-py, while it looks for the primary
                await asyncio.sleep(0.1)
        if resp is not None:
            resp.close()




class NodeLoad:
    """Producers of both kinds and devices, many users, a rate; started, settled and judged as the load of tests/crash."""

    def __init__(self, world: World, users: int, rate: int, primary: Callable[[], RedisProcess]):
        self.world, self.primary = world, primary
        self.load = Load(world, 0, 0)  # while there are no users, it has no devices of its own
        world.users += [f"user{n}" if n % 2 else f"user{n // 2}}}{{b{n}" for n in range(users)]
        for number, user in enumerate(world.users):
            world.devices.append(Device(world, user, "phone", APPLIED))
            if number % 10 == 0:
                world.devices.append(Device(world, user, "laptop", STORED))
        # About 4 of a request's notifications in the mean, half of the requests by either way.
        each = 16 / (rate / 5)
        self.over_http = [NodeProducer(world, f"http{n}", each) for n in range(8)]
        self.adders = [Adder(world, f"adder{n}", primary, each) for n in range(8)]
        self.load.producers = [*self.over_http, *self.adders]

    def start(self) -> None:
        self.load.start()

    # Once nobody publishes, what was accepted is routed: then the logs are whole.
    async def settle(self) -> Report:
        self.world.publishing = False
        await asyncio.wait_for(asyncio.gather(*self.load.publishing), WAIT_S)
        end = time.monotonic() + WAIT_S
        while not await asyncio.to_thread(self._is_routed):
            if time.monotonic() > end:
                self.world.unexpected.append(f"not all was routed within {WAIT_S} s")
                break
            await asyncio.sleep(0.1)
        return await self.load.settle()

    def _is_routed(self) -> bool:
        client = self.primary().client()
        group = next(group for group in client.xinfo_groups(INGEST) if group["name"] == "tocsin")
        last = client.xinfo_stream(INGEST)["last-generated-id"]
        return group["pending"] == 0 and group["last-delivered-id"] == last

    async def discard(self) -> None:
        await self.load.discard()


# So many nodes on the store, both started, under load; ended with the block. `restless`: how often devices come and go.
@asynccontextmanager
async def loaded(options: argparse.Namespace, directory: Path, store: Store, count: int,
                 restless: float) -> AsyncIterator[tuple[Nodes, NodeLoad]]:  # fmt: skip
    nodes = load = None
    try:
        store.start()
        nodes = Nodes(options.tocsin, directory, store, count, options.seed)
        await nodes.start()
        world = World(nodes, options.seed)
        world.restless = restless
        load = NodeLoad(world, options.users, options.rate, lambda: store.primary_of(INGEST))
        world.up.set()
        load.start()
        yield nodes, load
    finally:
        if load is not None:
            await load.discard()
        if nodes is not None:
            await nodes.discard()
        store.stop()


# Says what came out; the exit status.
def verdict(load: NodeLoad, nodes: Nodes, report: Report) -> int:
    world = load.world
    print(f"publishes answered 503: {sum(producer.refused for producer in load.over_http)}")
    published = sum(len(request.notifications) for request in world.requests)
    print(f"published {published} in {len(world.requests)} requests; marks confirmed {len(world.marks)}")
    print(report.text())
    # Thousands of devices in one process of Python may take that long when all of them come back at once.
    slow = [words for words in world.unexpected if "no `hello` within 5 s" in words]
    print(f"devices too slow to say hello: {len(slow)}")
    world.unexpected[:] = [words for words in world.unexpected if words not in slow] + nodes.alarms()
    for words in world.unexpected[:20]:
        print(f"unexpected: {words}")
    good = report.clean and not world.unexpected
    print("good" if good else f"BAD: run it again with --seed={world.seed}; the logs end with\n{nodes.log_tail()}")
    return 0 if good else 1
