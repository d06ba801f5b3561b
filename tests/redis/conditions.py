#!/usr/bin/env python3
"""What a Redis must be, and what Tocsin makes of one that is otherwise: levels of durability, evicting policies, a replica,
a wrong password, one that is full, one that was emptied.

    conditions.py --tocsin BINARY [--seed N]"""

import argparse
import asyncio
import json
import sys
from pathlib import Path

for folder in ("contract", "crash"):
    sys.path.append(str(Path(__file__).resolve().parent.parent / folder))
from redis_py import with_redis_py  # noqa: E402
from run import run_test  # noqa: E402


class Bench:
    def __init__(self, options: argparse.Namespace, directory: Path):
        self.options, self.directory = options, directory
        self.number = 0
        self.processes = []
        self.services = []

    def redis(self, *lines: str):
        from stores import RedisProcess

        self.number += 1
        process = RedisProcess(self.directory, f"redis{self.number}", list(lines))
        self.processes.append(process)
        process.start()
        return process

    # A node on `url`; not started.
    def node(self, url: str):
        from server import Server

        self.number += 1
        place = self.directory / f"node{self.number}"
        place.mkdir()
        node = Server(self.options.tocsin, place)
        node.settings["store"] = url
        self.services.append(node)
        return node

    # It ends at once, with 1, and says why.
    async def must_refuse(self, url: str, why: str) -> None:
        node = self.node(url)
        await node.spawn()
        status = await asyncio.wait_for(node.process.wait(), 60)
        assert status == 1 and why in node.log_tail(), f"{status}\n{node.log_tail()}"
        print(f"refused: {node.log_tail().splitlines()[-1][:200]}", flush=True)

    async def level(self, wanted: str, *lines: str) -> None:
        redis = self.redis(*lines)
        node = self.node(f"redis://127.0.0.1:{redis.port}")
        await node.spawn()
        line = (await asyncio.wait_for(node.process.stdout.readline(), 60)).decode()
        assert f"durability={wanted}" in line, f"{lines}: {line}{node.log_tail()}"
        node.port = int(line.split("http=127.0.0.1:")[1].split()[0])
        for method, target, body in (("GET", "/readyz", b""), ("POST", "/v1/notifications", b'{"user_id":"u","message":"m"}')):
            status, answer = await self.request(node, method, target, body)
            assert status in (200, 202) and json.loads(answer)["durability"] == wanted, answer
        print(f"{' '.join(lines) or 'as made'}: {wanted}", flush=True)
        await node.discard()
        redis.kill()

    async def request(self, node, method: str, target: str, body: bytes) -> tuple[int, bytes]:
        from clients import Http
        from server import API_KEY

        http = await Http.connect(node.port)
        try:
            return await http.request(method, target, {"x-api-key": API_KEY}, body)
        finally:
            http.close()


async def levels(bench: Bench) -> None:
    await bench.level("sync")
    await bench.level("interval", "appendfsync everysec")
    await bench.level("memory", "appendfsync no")
    await bench.level("memory", "appendonly no")
    await bench.level("memory", "no-appendfsync-on-rewrite yes")
    # A user that may not ask: nothing is assumed.
    redis = bench.redis("user narrow on >narrow ~* &* +@all -config")
    node = bench.node(f"redis://narrow:narrow@127.0.0.1:{redis.port}")
    await node.spawn()
    line = (await asyncio.wait_for(node.process.stdout.readline(), 60)).decode()
    assert "durability=memory" in line and "does not say when it is synced" in node.log_tail(), line + node.log_tail()
    await node.discard()


async def refusals(bench: Bench) -> None:
    for policy in ("allkeys-lru", "volatile-ttl"):
        redis = bench.redis("maxmemory 100mb", f"maxmemory-policy {policy}")
        await bench.must_refuse(f"redis://127.0.0.1:{redis.port}", f"maxmemory-policy {policy}")
    primary = bench.redis("user other on >right ~* +@all")
    await bench.must_refuse(f"redis://other:wrong@127.0.0.1:{primary.port}", "WRONGPASS")
    replica = bench.redis(f"replicaof 127.0.0.1 {primary.port}")
    await bench.must_refuse(f"redis://127.0.0.1:{replica.port}", "is a replica")


# A full Redis takes nothing, says so, and takes again once there is room; what is there is read meanwhile.
async def full(bench: Bench) -> None:
    redis = bench.redis("maxmemory 100mb", "maxmemory-policy noeviction")
    node = bench.node(f"redis://127.0.0.1:{redis.port}")
    await node.start()
    body = json.dumps({"user_id": "u", "message": "m"}).encode()
    status, answer = await bench.request(node, "POST", "/v1/notifications", body)
    assert status == 202, answer
    redis.client().config_set("maxmemory", "1mb")
    status, answer = await bench.request(node, "POST", "/v1/notifications", body)
    assert status in (503, 507), (status, answer)
    print(f"full: {status} {answer.decode()[:160]}", flush=True)
    redis.client().config_set("maxmemory", "100mb")
    status, answer = await bench.request(node, "POST", "/v1/notifications", body)
    assert status == 202, (status, answer)


# An emptied Redis is another store: every device is told, and what is published now comes.
async def emptied(bench: Bench) -> None:
    from service import Phone, Service, until
    from stores import Standalone

    store = Standalone(bench.directory)
    bench.processes += store.processes
    store.start()
    service = Service(bench.options.tocsin, bench.directory / "emptied", store, 2)
    bench.services += service.nodes
    await service.start()
    phone = Phone(service, "u", "phone")
    await phone.connect()
    await service.publish({"user_id": "u", "message": "before"})
    await phone.has(1)
    epoch = phone.epoch
    store.processes[0].client().flushall()

    async def accepted() -> list[str]:
        while True:
            try:
                return await service.publish({"user_id": "u", "message": "after"})
            except AssertionError as error:
                assert "503" in str(error), error
                await asyncio.sleep(0.1)

    nids = await asyncio.wait_for(accepted(), 60)
    await until(lambda: phone.socket.closed.done(), "the session ends")
    assert phone.bye is not None and phone.bye["code"] == 4203, phone.bye
    phone.forget()
    welcome = await phone.connect()
    assert welcome["resume"] == "reset" and phone.epoch != epoch, welcome
    await phone.until(lambda: nids[0] in phone.seen, "what was published since comes")
    print(f"emptied: bye {phone.bye}, then {welcome['resume']}", flush=True)


async def test(options: argparse.Namespace, directory: Path) -> int:
    bench = Bench(options, directory)
    try:
        await levels(bench)
        await refusals(bench)
        await full(bench)
        await emptied(bench)
        print("good")
        return 0
    finally:
        for node in bench.services:
            await node.discard()
        for process in bench.processes:
            process.kill()


if __name__ == "__main__":
    sys.exit(run_test(test, __doc__, {}, with_redis_py))
