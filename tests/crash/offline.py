#!/usr/bin/env python3
"""1,000 notifications for a user who is away, kill -9, start: she connects and gets exactly those, in order. Acked,
none comes again, neither where her device gives its cursor nor where it leaves that to the server, before and after
another crash. A second device, without a cursor, gets all.

    offline.py --tocsin BINARY [--seed N]"""

import argparse
import asyncio
import sys
from pathlib import Path

from checker import Answer, Checker, Session
from clients import Http
from main import run_test
from server import Server
from workload import APPLIED, STORED, Device, Producer, World, read_log, verdict, visit

COUNT = 1_000
ANN, BOB = "ann", "bob"


class Story:
    def __init__(self, world: World):
        self.world = world
        self.phone = Device(world, ANN, "phone", APPLIED)
        world.marking = False

    # `count` notifications, every one of them accepted.
    async def publish(self, user: str, count: int, each: int) -> list[str]:
        self.world.users[:] = [user]  # whom the producer draws from
        producer = Producer(self.world, f"for {user} {len(self.world.requests)}")
        http = await Http.connect(self.world.server.port)
        begun = len(self.world.requests)
        for at in range(0, count, each):
            await producer.publish(http, min(each, count - at))
        http.close()
        requests = self.world.requests[begun:]
        assert all(request.answer is Answer.ACCEPTED for request in requests)
        return [nid for request in requests for nid in request.nids]

    # The phone comes, gets `wanted` and nothing else, acks and goes.
    async def comes(self, returns: str, wanted: list[str], when: str) -> None:
        self.phone.returns = returns
        session = await visit(self.phone, lambda: len(nids(self.phone.log)) >= len(wanted), f"the phone has all {when}")
        # What is urgent may be routed first; the order within a priority is the checker's to see.
        if sorted(nids(session)) != sorted(wanted):
            self.world.unexpected.append(f"{when} the phone got {len(nids(session))}, not the {len(wanted)}, each once")
        print(f"{when}: {len(nids(session))} came", flush=True)

    async def restart(self) -> None:
        await self.world.server.kill()
        print(f"killed; ready after {await self.world.server.start():.3f} s", flush=True)


def nids(session: Session) -> list[str]:
    return [entry.nid for frame in session.frames for entry in frame.entries]


async def test(options: argparse.Namespace, directory: Path) -> int:
    world = World(Server(options.tocsin, directory), options.seed)
    try:
        await world.server.start()
        story = Story(world)
        wanted = await story.publish(ANN, 100, each=1)
        await story.publish(BOB, 50, each=25)
        wanted += await story.publish(ANN, COUNT - 100, each=150)
        await story.restart()
        await story.comes(APPLIED, wanted, "after the crash")
        # That none comes again shows in what comes next: one more, and that alone.
        for returns, crash in ((APPLIED, False), (STORED, False), (APPLIED, True), (STORED, True)):
            if crash:
                await story.phone.confirm()
                await story.restart()
            more = await story.publish(ANN, 1, each=1)
            wanted += more
            await story.comes(returns, more, f"with its cursor {returns}, {'after a crash' if crash else 'at once'}")

        laptop = Device(world, ANN, "laptop", STORED, credit=300)
        await visit(laptop, lambda: laptop.cursor >= laptop.head, "a second device has it all")
        if sorted(nids(laptop.log)) != sorted(wanted):
            world.unexpected.append(f"the second device got {len(nids(laptop.log))}, not the {len(wanted)}, each once")
        checker = Checker(world.requests, [await read_log(world, user) for user in (ANN, BOB)])
        checker.check_device(story.phone.sessions)
        checker.check_device(laptop.sessions)
        return verdict(world, checker.report)
    finally:
        await world.server.discard()


if __name__ == "__main__":
    sys.exit(run_test(test, __doc__))
