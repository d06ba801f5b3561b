#!/usr/bin/env python3
"""A failover that really loses entries. The primary of a Sentinel deployment is cut off from its replicas, takes
publishes that are answered and delivered, and dies; a replica that never had them is promoted. Whoever has seen, or may
have missed, something is told `gap` or `reset`: nothing is skipped silently, no id means two things, and the nodes' logs
say how much was lost.

    failover.py --tocsin BINARY [--users 60] [--seed N]"""

import argparse
import asyncio
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "contract"))
from redis_py import with_redis_py  # noqa: E402
from run import run_test  # noqa: E402


async def test(options: argparse.Namespace, directory: Path) -> int:
    from nodes import log_lines
    from service import Phone, serving, until, until_true
    from stores import Sentinels

    store = Sentinels(directory)
    async with serving(options.tocsin, directory, store, 2, options.seed) as service:
        users = [f"user{n}" for n in range(options.users)]
        bodies: dict[str, str] = {}  # nid -> body, of all time
        kept: dict[str, list[str]] = {user: [] for user in users}  # nids

        async def publish(user: str, body: str) -> str:
            (nid,) = await service.publish({"user_id": user, "message": body})
            assert nid not in bodies, f"{nid} names two notifications: {bodies[nid]} and {body}"
            bodies[nid] = body
            return nid

        phones = [Phone(service, user, "phone") for user in users]
        away = Phone(service, users[0], "tablet")  # was there before, is not there now
        await asyncio.gather(*(phone.connect() for phone in phones))
        await away.connect()
        for user in users:
            kept[user].append(await publish(user, f"kept {user}"))
        for phone in phones:
            await phone.has(1)
            phone.ack()
        await away.has(1)
        await away.close()
        primary = store.primary()
        replicas = [server for server in store.servers if server is not primary]
        synced = primary.client().info("replication")["master_repl_offset"]
        await until(lambda: all(r.client().info("replication")["slave_repl_offset"] >= synced for r in replicas), "all is replicated")

        # Cut off: the replicas stand still, then their connections are closed, so that nothing waits in a socket.
        for replica in replicas:
            replica.pause()
        primary.client().client_kill_filter(_type="replica")
        lost: dict[str, list[str]] = {user: [] for user in users}
        for user in users[::2]:
            for n in range(3):
                lost[user].append(await publish(user, f"lost {n} {user}"))
        for phone in phones[::2]:
            await phone.has(4)  # delivered, in the belief that it was stored
        lost_nids = {nid for nids in lost.values() for nid in nids}
        primary.kill()
        for replica in replicas:
            replica.resume()
        print(f"the primary took {len(lost_nids)} notifications that no replica has, and died", flush=True)

        await until_true(lambda: _is_another(store, primary), "the Sentinels have promoted a replica")
        begun = time.monotonic()
        print("a replica was promoted", flush=True)

        # Everybody is told, by an end of the session that the reconnect explains.
        for phone in phones:
            await until(lambda: phone.socket.closed.done(), f"the session of {phone.user} ends")
        print(f"every session was ended within {time.monotonic() - begun:.2f} s", flush=True)
        answers: dict[str, int] = {}
        for phone in phones:
            phone.forget()
            had, bye = phone.cursor, phone.bye
            welcome = await phone.connect()
            answers[welcome["resume"]] = answers.get(welcome["resume"], 0) + 1
            assert welcome["resume"] in ("gap", "reset"), (phone.user, had, bye, welcome)
        print(f"the reconnects were answered {answers}", flush=True)
        assert (await away.connect())["resume"] in ("gap", "reset"), away.welcome
        await away.close()

        # It goes on: what is published now comes to all, and no log has what was lost, or has all of it again.
        async def accepted(user: str, body: str) -> str:
            end = time.monotonic() + 60
            while True:
                try:
                    return await publish(user, body)
                except AssertionError as error:
                    if "503" not in str(error) or time.monotonic() > end:
                        raise
                    await asyncio.sleep(0.1)

        for user in users:
            kept[user].append(await accepted(user, f"after {user}"))
        for phone in phones:
            await phone.until(lambda: kept[phone.user][-1] in phone.seen, "what is published now comes")
        for user in users:
            log = [item["nid"] for item in await service.log(user)]
            assert [nid for nid in log if nid not in lost_nids] == kept[user], (user, log)
        # Once only: the next reconnect goes on as ever.
        for phone in phones[:5]:
            await phone.close()
            assert (await phone.connect())["resume"] == "ok", phone.welcome
            await phone.close()
        told = [line for node in service.nodes for line in log_lines(node) if "lost" in line["event"]]
        for line in told:
            print(f"a node says: { {k: v for k, v in line.items() if k != 'ts'} }")
        assert told, "no node says that something was lost"
        print("good")
        return 0


async def _is_another(store, old) -> bool:
    try:
        new = store.primary()
    except Exception:  # in the middle of it
        return False
    return new is not old and new.client().info("replication")["role"] == "master"


if __name__ == "__main__":
    sys.exit(run_test(test, __doc__, {"--users": 60}, with_redis_py))
