#!/usr/bin/env python3
"""`tocsin migrate`: from an embedded store to Redis and back to another embedded store. After each step every device goes
on where it was, with the same log, counts and states; streams have the same entries, groups and pending entries. What it
must not do, it refuses: a target with something in it, a store that is in use.

    migrate.py --tocsin BINARY [--store redis|cluster|redis-tls|sentinel] [--seed N]"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

sys.path.append(str(Path(__file__).resolve().parent.parent / "contract"))
from redis_py import with_redis_py  # noqa: E402
from run import run_test  # noqa: E402

USERS = [*(f"user{n}" for n in range(30)), "}{b1", "a:b", "\u00e4\U0001f514", "x" * 256]
LOG_MAX = 100  # so that some logs have been trimmed


def preferences_of(user: str) -> str:
    return f"/v1/users/{quote(user, safe='')}/preferences"


class Story:
    def __init__(self, options: argparse.Namespace, directory: Path):
        from stores import STORES, Embedded

        self.binary, self.directory, self.seed = options.tocsin, directory, options.seed
        self.embedded = Embedded(directory)
        self.store = STORES[options.store](directory)
        self.phones: dict[str, tuple[str, str]] = {}  # user -> cursor and epoch of its phone
        self.number = 0

    # A service on `store`, with a fresh directory unless `data` names one.
    async def serve(self, store, data: str = ""):
        from service import Service

        self.number += 1
        settings = {"log_max_entries": str(LOG_MAX), **({"data_dir": data} if data else {})}
        service = Service(self.binary, self.directory / f"run{self.number}", store, settings=settings, seed=self.seed)
        await service.start()
        return service

    async def end(self, service) -> None:
        for node in service.nodes:
            status, _ = await node.terminate()
            assert status == 0, node.log_tail()

    def migrate(self, source: str, target: str) -> tuple[int, str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
        done = subprocess.run([str(self.binary), "migrate", "--from", source, "--to", target, "--stream", "work"],
                              env=environment, capture_output=True, text=True, timeout=300)  # fmt: skip
        assert done.stdout == ""
        return done.returncode, done.stderr

    def must(self, source: str, target: str) -> None:
        status, words = self.migrate(source, target)
        print("  " + words.replace("\n", "\n  ").rstrip(), flush=True)
        assert status == 0, words

    def must_not(self, source: str, target: str, why: str) -> None:
        status, words = self.migrate(source, target)
        assert status == 1 and why in words, (status, words)

    async def fill(self, service) -> None:
        from service import Phone

        for round in range(3):
            await service.publish(*({"user_id": user, "message": f"{round} {n}", "data": {"n": n}, "priority": priority}
                                    for user in USERS for n, priority in enumerate(("low", "normal", "critical"))))  # fmt: skip
        await service.publish({"user_ids": USERS, "message": "to all"})
        for _ in range(2):
            await service.publish(*({"user_id": USERS[0], "message": "many"} for _ in range(60)))
        for n, user in enumerate(USERS):
            phone = Phone(service, user, "phone")
            await phone.connect()
            await phone.until(lambda: len(phone.items) >= 10, "it has some")
            nids = [item["nid"] for item in phone.items]
            await phone.mark("read", *nids[: n % 5 + 1], mid=f"m{n}")
            await phone.mark("archive", nids[6])
            await phone.mark("delete", nids[7])
            await phone.until(lambda: len(phone.states) >= 3, "the marks come back")
            assert await service.ack(user, "phone", f"{phone.epoch}:{phone.cursor}") == 204
            assert await service.ack(user, "tablet", f"{phone.epoch}:{phone.items[n % 10]['id']}") == 204
            self.phones[user] = (phone.cursor, phone.epoch)
            await phone.close()
        from server import API_KEY

        wanted = json.dumps({"mute": ["ads"], "quiet_hours": {"tz": "Asia/Tokyo", "from": "22:00", "to": "07:30"}})
        for user in (*USERS[20:22], "no log"):  # others get something later, at any time of the day
            headers = {"x-api-key": API_KEY, "Content-Type": "application/json"}
            status, _, _ = await service.request("PUT", preferences_of(user), headers, wanted.encode())
            assert status == 200, status
        now = int(time.time() * 1000)
        await service.publish(*({"user_ids": USERS[:2], "message": f"later {n}", "deliver_at": now + 3_600_000 + n}
                                for n in range(700)))  # fmt: skip
        await service.publish({"user_id": USERS[2], "message": "soon", "deliver_at": now + 1000})
        fired = Phone(service, USERS[2], "")
        await fired.connect()
        await fired.until(lambda: any(item["body"] == "soon" for item in fired.items), "its time has come")
        await fired.close()
        redis = service.producer()

        def streams() -> None:
            redis.xadd("notifications_stream", {"message": "for nobody"})
            redis.xgroup_create("notifications_stream", "mailer", id="0")
            redis.xreadgroup("mailer", "worker-1", {"notifications_stream": ">"}, count=40)
            ((_, entries),) = redis.xreadgroup("mailer", "worker-2", {"notifications_stream": ">"}, count=30)
            redis.xack("notifications_stream", "mailer", *(id for id, _ in entries[::2]))
            redis.xclaim("notifications_stream", "mailer", "worker-2", 0, [id for id, _ in entries[1:8:2]])
            for n in range(1200):
                redis.xadd("work", {"n": n, "bytes": "\u00e4" * (n % 50)})
            redis.xtrim("work", maxlen=1000, approximate=False)
            redis.xgroup_create("work", "idle", id="$")
            redis.expire("work", 5000)

        await service.ask(streams)

    # What of all this a client can see.
    async def seen(self, service) -> dict[str, object]:
        from service import Phone

        from server import API_KEY

        found: dict[str, object] = {}
        _, page, _ = await service.request("GET", "/v1/schedules?limit=1000", {"x-api-key": API_KEY})
        found["schedule"] = json.loads(page)
        assert len(found["schedule"]["items"]) == 700, page
        for user in (*USERS[19:22], "no log"):
            found[f"preferences {user}"] = (await service.request("GET", preferences_of(user), {"x-api-key": API_KEY}))[:2]
        for user in USERS:
            log = await service.log(user)
            found[f"log {user}"] = log
            fresh = Phone(service, user, "")
            welcome = await fresh.connect()
            found[f"welcome {user}"] = {name: welcome[name] for name in ("epoch", "floor", "cur", "head", "counts", "resume")}
            await fresh.until(lambda: fresh.cursor == welcome["head"], "it has all")
            found[f"frames {user}"] = [fresh.items, fresh.states]
            found[f"list {user}"] = (await fresh.list(filter="all", limit=200))["items"]
            await fresh.close()
            phone = Phone(service, user, "phone")
            welcome = await phone.connect()  # its cursor is the stored one
            assert welcome["resume"] == "ok" and (welcome["cur"], welcome["epoch"]) == self.phones[user], welcome
            n = USERS.index(user)
            before = welcome["counts"]
            again = await phone.mark("read", *(item["nid"] for item in log[:9]), mid=f"m{n}")
            assert again["unread"] == before["unread"], "a mark was not remembered"
            await phone.close()
            tablet = Phone(service, user, "tablet")
            found[f"tablet {user}"] = (await tablet.connect())["cur"]
            await tablet.lose()
        return found

    # What of the streams anybody can see.
    def streams(self, redis) -> dict[str, object]:
        found: dict[str, object] = {}
        for stream in ("notifications_stream", "notifications_stream:dead", "work"):
            about = redis.xinfo_stream(stream)
            found[stream] = [about["length"], about["last-generated-id"], redis.xrange(stream)]
            for group in redis.xinfo_groups(stream):
                key = f"{stream} {group['name']}"
                found[key] = [group["pending"], group["last-delivered-id"], group["consumers"]]
                pending = redis.xpending_range(stream, group["name"], "-", "+", 1000)
                found[key + " pending"] = [(one["message_id"], one["consumer"], one["times_delivered"]) for one in pending]
        found["ttl"] = redis.ttl("work") > 4000
        return found


def same(name: str, first: dict[str, object], second: dict[str, object]) -> None:
    assert set(first) == set(second), set(first) ^ set(second)
    for key, value in first.items():
        assert second[key] == value, f"{name}: {key} was\n{value}\nand is\n{second[key]}"
    print(f"{name}: {len(first)} things are the same", flush=True)


async def test(options: argparse.Namespace, directory: Path) -> int:
    story = Story(options, directory)
    first_dir, second_dir = str(directory / "first"), str(directory / "second")
    embedded, redis_url = f"embedded:{first_dir}", story.store.url()
    service = None
    try:
        story.store.start()
        service = await story.serve(story.embedded, first_dir)
        await story.fill(service)
        before = await story.seen(service)
        streams = await service.ask(story.streams, service.producer())
        story.must_not(embedded, redis_url, "")  # the server has it
        await story.end(service)

        story.must_not(f"embedded:{directory}/nowhere", redis_url, "is not there")
        story.must(embedded, redis_url)
        story.must_not(embedded, redis_url, "has the key")
        same("streams on Redis", streams, story.streams(story.store.producer(0, "")))
        service = await story.serve(story.store)
        same("logs on Redis", before, await story.seen(service))
        # It is alive: the routers go on, and nothing old comes again.
        phone_user = USERS[1]
        from service import Phone

        phone = Phone(service, phone_user, "phone")
        await phone.connect()
        nids = await service.publish({"user_id": phone_user, "message": "on Redis"})
        assert await phone.has(1) == nids
        await phone.mark("read", *nids)
        await phone.until(lambda: phone.states, "the mark comes back")
        assert await service.ack(phone_user, "phone", f"{phone.epoch}:{phone.cursor}") == 204
        story.phones[phone_user] = (phone.cursor, phone.epoch)
        await phone.close()
        before = await story.seen(service)
        story.must_not(redis_url, f"embedded:{second_dir}", "is at work")
        await story.end(service)
        streams = story.streams(story.store.producer(0, ""))

        story.must(redis_url, f"embedded:{second_dir}")
        story.must_not(redis_url, f"embedded:{second_dir}", "has a store already")
        service = await story.serve(story.embedded, second_dir)
        same("streams, embedded again", streams, await service.ask(story.streams, service.producer()))
        same("logs, embedded again", before, await story.seen(service))
        await story.end(service)
        print("good")
        return 0
    finally:
        if service is not None:
            await service.stop()
        story.store.stop()


if __name__ == "__main__":
    sys.exit(run_test(test, __doc__, {"--store": "redis"}, with_redis_py))
