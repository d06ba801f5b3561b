"""Cases: the ingest stream is a real stream. Producers XADD to it, groups of their own read beside Tocsin, what cannot
be routed is a dead letter; and nodes are killed in the middle of it all."""

import asyncio
import json
import time

from clients import Http
from server import API_KEY
from service import GONE, Phone, Service, until_true
from stores import INGEST
from suite import case


@case
async def the_three_snippets(service: Service) -> None:
    """The calls of the documentation, word for word, with a group of the team's own beside Tocsin's."""
    redis = service.producer()
    user = "123"
    phone = Phone(service, user)
    await phone.connect()

    def produce_and_consume() -> tuple[str, str]:
        redis.xgroup_create("notifications_stream", "notifier_group", id="$", mkstream=True)
        nid = redis.xadd("notifications_stream", {"user_id": "123", "message": "You've got a new alert", "lang": "en", "priority": "high"})
        read = redis.xreadgroup(groupname="notifier_group", consumername="worker-1", streams={"notifications_stream": ">"})
        ((stream, ((message_id, fields),)),) = read
        assert stream == "notifications_stream" and fields["message"] == "You've got a new alert", read
        assert redis.xpending("notifications_stream", "notifier_group")["pending"] == 1
        assert redis.xack("notifications_stream", "notifier_group", message_id) == 1
        assert redis.xpending("notifications_stream", "notifier_group")["pending"] == 0
        return nid, message_id

    nid, read_id = await service.ask(produce_and_consume)
    assert nid == read_id
    assert await phone.has(1) == [nid]
    item = phone.items[0]
    assert (item["body"], item["lang"], item["prio"]) == ("You've got a new alert", "en", "high"), item
    # What is published over HTTP is an entry of the same stream, for any group.
    (over_http,) = await service.publish({"user_id": "123", "message": "over HTTP"})

    def consume() -> list[tuple[str, dict]]:
        ((_, entries),) = redis.xreadgroup("notifier_group", "worker-2", {"notifications_stream": ">"}, count=10)
        redis.xack("notifications_stream", "notifier_group", *(id for id, _ in entries))
        return entries

    entries = await service.ask(consume)
    assert [id for id, _ in entries] == [over_http] and entries[0][1]["message"] == "over HTTP", entries
    assert await phone.has(2) == [nid, over_http]
    await phone.close()


@case
async def entries_from_xadd(service: Service) -> None:
    """XADD with every field that means something; unknown ones go into `data`; several users at once."""
    redis = service.producer()
    fields = {"user_ids": json.dumps(["xadd1", "xadd2"]), "message": "m", "title": "t", "url": "/u", "priority": "nonsense",
              "data": json.dumps({"a": 1}), "shade": "red"}  # fmt: skip
    nid = await service.ask(redis.xadd, INGEST, fields)
    for user in ("xadd1", "xadd2"):
        phone = Phone(service, user)
        await phone.connect()
        assert await phone.has(1) == [nid]
        item = phone.items[0]
        assert (item["title"], item["url"], item["prio"]) == ("t", "/u", "normal"), item
        assert item["data"] == {"a": 1, "shade": "red"}, item
        await phone.close()

    def many() -> list[str]:
        return [redis.xadd(INGEST, {"user_id": "xadd3", "message": f"{n}"}) for n in range(100)]

    nids = await service.ask(many)
    phone = Phone(service, "xadd3")
    await phone.connect()
    assert await phone.has(100) == nids
    await phone.close()


@case
async def dead_letters(service: Service) -> None:
    """What can never be routed is kept with its reason, and holds up nothing."""
    redis = service.producer()
    bad = [{"message": "for nobody"}, {"user_id": "dead"}, {"user_id": "dead", "message": "m", "data": "{"}]
    first = await service.ask(redis.xadd, INGEST, {"user_id": "dead", "message": "before"})
    nids = [await service.ask(redis.xadd, INGEST, fields) for fields in bad]
    last = await service.ask(redis.xadd, INGEST, {"user_id": "dead", "message": "after"})
    phone = Phone(service, "dead")
    await phone.connect()
    assert await phone.has(2) == [first, last]

    async def letters() -> list:
        found = await service.ask(redis.xrange, f"{INGEST}:dead")
        return [fields for _, fields in found if fields.get("tocsin_id") in nids]

    await until_true(lambda: _enough(letters, len(bad)), "the dead letters are there")
    found = await letters()
    assert [fields["tocsin_id"] for fields in found] == nids, found
    assert all(fields["tocsin_reason"] and fields["tocsin_stream"] == INGEST for fields in found), found
    assert [{name: value for name, value in fields.items() if not name.startswith("tocsin_")} for fields in found] == bad
    await phone.close()


async def _enough(letters, count: int) -> bool:
    return len(await letters()) >= count


@case
async def the_group_of_tocsin(service: Service) -> None:
    """Tocsin's own group is there for all to see, and has nothing pending once all is delivered."""
    redis = service.producer()
    nids = await service.publish(*({"user_id": "grouped", "message": f"{n}"} for n in range(20)))
    phone = Phone(service, "grouped")
    await phone.connect()
    assert await phone.has(20) == nids

    async def quiet() -> bool:
        groups = {group["name"]: group for group in await service.ask(redis.xinfo_groups, INGEST)}
        stream = await service.ask(redis.xinfo_stream, INGEST)
        tocsin = groups["tocsin"]
        return tocsin["pending"] == 0 and tocsin["last-delivered-id"] == stream["last-generated-id"]

    await until_true(quiet, "the group has nothing pending and has read all")
    await phone.close()


# Publishes over one connection until told to stop; what was accepted, and what had no answer.
async def keep_publishing(service: Service, user: str, stop: asyncio.Event) -> tuple[list[str], set[str]]:
    accepted, unanswered = [], set()
    http: Http | None = None
    n = 0
    while not stop.is_set():
        n += 1
        body = f"{user} {n}"
        try:
            http = http or await Http.connect(service.port())
            unanswered.add(body)
            status, answer = await http.request("POST", "/v1/notifications", {"x-api-key": API_KEY},
                                                json.dumps({"user_id": user, "message": body}).encode())  # fmt: skip
        except GONE:
            http = None
            await asyncio.sleep(0.02)
            continue
        assert status in (202, 503), f"{status} {answer!r}"
        unanswered.discard(body)
        if status == 202:
            accepted.append(body)
        if status != 202 or http.closes:
            http.close()
            http = None
        await asyncio.sleep(0.02)
    if http is not None:
        http.close()
    return accepted, unanswered


@case
async def a_node_is_killed(service: Service) -> None:
    """kill -9 under load, of each node in turn: what was accepted is there once and in order, cursors and marks hold,
    the epoch is the same."""
    users = ("killed1", "killed2", "killed3")
    first = await service.publish({"user_ids": list(users), "message": "before"})
    phones = [Phone(service, user, "phone") for user in users]
    for phone in phones:
        await phone.connect()
        await phone.has(1)
        await phone.mark("read", *first)
    epochs = [phone.epoch for phone in phones]
    stop = asyncio.Event()
    publishers = [asyncio.create_task(keep_publishing(service, user, stop)) for user in users]
    for which in range(len(service.nodes)):
        await asyncio.sleep(0.7)
        await service.crash(which)
        for phone in phones:
            if phone.socket.closed.done():
                assert (await phone.connect())["resume"] == "ok", phone.welcome
    await asyncio.sleep(0.5)
    stop.set()
    done = await asyncio.gather(*publishers)
    for phone, epoch, (accepted, unanswered) in zip(phones, epochs, done):
        assert phone.epoch == epoch
        assert accepted, "nothing was accepted: this shows nothing"
        if phone.socket.closed.done():
            await phone.connect()

        async def all_there() -> bool:
            return set(accepted) <= {item["body"] for item in await service.log(phone.user)}

        await until_true(all_there, "what was accepted is in the log")
        log = await service.log(phone.user)
        bodies = [item["body"] for item in log]
        assert len(bodies) == len(set(bodies)), "something is twice in the log"
        assert bodies[0] == "before" and log[0]["state"] == "read"
        assert set(bodies[1:]) <= set(accepted) | unanswered
        assert [body for body in bodies if body in set(accepted)] == accepted
        await phone.until(lambda: len(phone.items) >= len(log), "the phone has all")
        assert [item["nid"] for item in phone.items] == [item["nid"] for item in log]
        await phone.close()


@case
async def all_nodes_are_killed(service: Service) -> None:
    """kill -9 of all, with entries that nobody has routed; what producers add meanwhile is delivered at the next start."""
    phone = Phone(service, "blackout", "phone")
    await phone.connect()
    nids = await service.publish(*({"user_id": "blackout", "message": f"{n}"} for n in range(30)))
    for node in service.nodes:
        await node.kill()
    if service.store.name != "embedded":  # there is somebody to XADD to
        redis = service.producer()
        nids += [await service.ask(redis.xadd, INGEST, {"user_id": "blackout", "message": f"alone {n}"}) for n in range(10)]
    await service.start()
    begun = time.monotonic()
    had = len(phone.items)
    assert (await phone.connect())["resume"] in ("ok", "fresh"), phone.welcome
    assert await phone.has(len(nids)) == nids, had
    print(f"    {time.monotonic() - begun:.2f} s from the start to the last item")
    await phone.close()
