#!/usr/bin/env python3
"""The Redis of two nodes goes away for a while and comes back: meanwhile publishes are answered 503 with Retry-After, no
socket is closed, the nodes hardly use the CPU; afterwards everything goes on by itself, and nothing that was accepted is
lost. `--how freeze` stops the server instead (SIGSTOP): connections stand and nothing answers.

    outage.py --tocsin BINARY [--seconds 60] [--users 200] [--how kill|freeze] [--seed N]"""

import argparse
import asyncio
import json
import os
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "contract"))
from redis_py import with_redis_py  # noqa: E402
from run import run_test  # noqa: E402

MOST_CPU = 0.5  # of one CPU, by each node while its store is away


# Seconds of CPU that a process has had.
def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Story:
    def __init__(self, service, users: int):
        from service import Phone

        self.service = service
        self.phones = [Phone(service, f"user{n}", "phone") for n in range(users)]
        self.accepted: dict[str, list[str]] = {phone.user: [] for phone in self.phones}
        self.unanswered: dict[str, int] = {phone.user: 0 for phone in self.phones}  # 503: stored or not
        self.statuses: dict[int, int] = {}

    async def publish(self, user: str) -> int:
        from server import API_KEY

        body = json.dumps({"user_id": user, "message": "m"}).encode()
        status, answer, headers = await self.service.request("POST", "/v1/notifications", {"x-api-key": API_KEY}, body)
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if status == 202:
            self.accepted[user].append(json.loads(answer)["items"][0]["nid"])
        else:
            assert status == 503, f"{status} {answer!r}"
            assert int(headers["retry-after"]) >= 1, headers
            self.unanswered[user] += 1
        return status

    # Every phone has what was accepted for it, in order; what else it has is among what had no clear answer.
    async def all_have_theirs(self) -> None:
        for phone in self.phones:
            wanted = self.accepted[phone.user]
            await phone.until(lambda: set(wanted) <= phone.seen, "the phone has what was accepted")
            nids = [item["nid"] for item in phone.items]
            assert [nid for nid in nids if nid in set(wanted)] == wanted
            assert len(nids) <= len(wanted) + self.unanswered[phone.user], (phone.user, nids, wanted)

    def open_sockets(self) -> int:
        return sum(not phone.socket.closed.done() for phone in self.phones)


async def test(options: argparse.Namespace, directory: Path) -> int:
    from service import Phone, serving, until
    from stores import Standalone

    store = Standalone(directory)
    async with serving(options.tocsin, directory, store, 2, options.seed) as service:
        story = Story(service, options.users)
        await asyncio.gather(*(phone.connect() for phone in story.phones))
        for phone in story.phones[:50]:
            assert await story.publish(phone.user) == 202
        await story.all_have_theirs()

        redis = store.processes[0]
        redis.kill() if options.how == "kill" else redis.pause()
        gone = time.monotonic()
        late = asyncio.create_task(Phone(service, "late comer").connect())
        before = [cpu_seconds(node.process.pid) for node in service.nodes]
        while time.monotonic() < gone + options.seconds:
            await story.publish(story.phones[service.random.randrange(len(story.phones))].user)
            await asyncio.sleep(0.2)
        used = [cpu_seconds(node.process.pid) - had for node, had in zip(service.nodes, before)]
        shares = [seconds / (time.monotonic() - gone) for seconds in used]
        print(f"away for {options.seconds:.0f} s ({options.how}): publishes {story.statuses}; {story.open_sockets()} of "
              f"{len(story.phones)} sockets are open; CPU of the nodes {', '.join(f'{s:.1%}' for s in shares)}")  # fmt: skip
        assert story.statuses.get(503), "no publish was refused"
        assert story.open_sockets() == len(story.phones), "sockets were closed"
        assert max(shares) < MOST_CPU, "the nodes are busy with a store that is away"

        redis.start() if options.how == "kill" else redis.resume()
        back = time.monotonic()
        while await story.publish(story.phones[0].user) != 202:
            await asyncio.sleep(0.05)
        first = time.monotonic() - back
        for phone in story.phones:
            while await story.publish(phone.user) != 202:
                await asyncio.sleep(0.05)
        await story.all_have_theirs()
        print(f"back: the first publish was accepted after {first:.2f} s, everybody had theirs after {time.monotonic() - back:.2f} s")
        assert story.open_sockets() == len(story.phones), "sockets were closed"
        await until(late.done, "who came meanwhile is answered")
        try:
            print(f"who connected meanwhile got resume={late.result()['resume']}")
        except AssertionError as error:  # it may be sent away, and come again
            print(f"who connected meanwhile was sent away: {error}")
            await Phone(service, "late comer").connect()
        print("good")
        return 0


if __name__ == "__main__":
    arguments = {"--seconds": 60.0, "--users": 200, "--how": "kill"}
    sys.exit(run_test(test, __doc__, arguments, with_redis_py))
