"""Cases: what is published comes to whom it is for, over every transport, once, in order, also after an absence."""

import asyncio
import json

from service import Events, Phone, Service, items_of
from server import API_KEY
from suite import case

# Names that a key with separators, a hash tag or a glob would confuse, and pairs of which one begins like the other.
HOSTILE = ("a", "a:b", "a:", "{", "}", "{a}", "}{b0}", "a}b", "*", "?[a]", "a b", "\u00e4\U0001f514", "user:1", "user:11", "-",
           "{b0}a", "a\tb", "\\", "\"", "'", "x" * 255, "x" * 256)  # fmt: skip


@case
async def one_notification(service: Service) -> None:
    """Every field comes through, and the answer names the nid and the durability."""
    sent = {"user_id": "fields", "message": "You've got a new alert", "title": "Alert", "url": "https://example.org/a?b=c",
            "icon": "/icon.png", "actions": [{"id": "go", "title": "Go", "url": "/go"}], "lang": "en-GB", "priority": "high",
            "data": {"n": 1, "deep": [{"a": None}], "text": "\u00e4 \" \\ \n"}}  # fmt: skip
    headers = {"x-api-key": API_KEY, "Content-Type": "application/json"}
    status, answer, _ = await service.request("POST", "/v1/notifications", headers, json.dumps(sent).encode())
    assert status == 202, answer
    accepted = json.loads(answer)
    assert accepted["durability"] == "sync", accepted
    (nid,) = (item["nid"] for item in accepted["items"])
    phone = Phone(service, "fields")
    welcome = await phone.connect()
    assert welcome["user"] == "fields" and welcome["resume"] == "fresh"
    await phone.has(1)
    item = phone.items[0]
    assert item["nid"] == nid and item["body"] == sent["message"] and item["prio"] == "high" and item["state"] == "unread", item
    for name in ("title", "url", "icon", "actions", "lang", "data"):
        assert item[name] == sent[name], f"{name}: {item}"
    await phone.close()


@case
async def forms_of_a_publish(service: Service) -> None:
    """An array and NDJSON are answered in order; what is refused is refused whole, by name; a dry run stores nothing."""
    headers = {"x-api-key": API_KEY, "Content-Type": "application/json"}
    bodies = [{"user_id": "forms", "message": f"{n}"} for n in range(30)]
    nids = await service.publish(*bodies[:10])
    status, answer, _ = await service.request("POST", "/v1/notifications", {**headers, "Content-Type": "application/x-ndjson"},
                                              "\n".join(json.dumps(body) for body in bodies[10:20]).encode())  # fmt: skip
    assert status == 202, answer
    nids += [item["nid"] for item in json.loads(answer)["items"]]
    bad = json.dumps([bodies[20], {**bodies[21], "colour": "red"}]).encode()
    status, answer, _ = await service.request("POST", "/v1/notifications", headers, bad)
    assert status == 400 and "colour" in answer.decode() and json.loads(answer)["index"] == 1, answer
    status, _, _ = await service.request("POST", "/v1/notifications?dry_run=1", headers, json.dumps(bodies[22]).encode())
    assert status in (200, 202)
    status, _, _ = await service.request("POST", "/v1/notifications", {"x-api-key": "wrong"}, json.dumps(bodies[23]).encode())
    assert status == 401
    nids += await service.publish(bodies[24])
    log = await service.routed("forms", len(nids))
    assert [item["nid"] for item in log] == nids, log
    assert [item["body"] for item in log] == [str(n) for n in (*range(20), 24)]


@case
async def several_recipients(service: Service) -> None:
    """One publish for many is one nid, in each of their logs once, and in nobody else's."""
    users = [f"many{n}" for n in range(60)]
    (nid,) = await service.publish({"user_ids": users, "message": "to all of you"})
    (second,) = await service.publish({"user_ids": users[::2] + users[:1], "message": "to every other"})
    for n, user in enumerate(users):
        wanted = [nid, second] if n % 2 == 0 else [nid]
        assert [item["nid"] for item in await service.routed(user, len(wanted))] == wanted, user
    assert await service.log("many") == [] and await service.log("many60") == []


@case
async def nobody_elses(service: Service) -> None:
    """User ids of every kind: each gets exactly its own."""
    nids = {user: (await service.publish({"user_id": user, "message": f"for {user!r}"}))[0] for user in HOSTILE}
    for user in HOSTILE:
        log = await service.routed(user, 1)
        assert [(item["nid"], item["body"]) for item in log] == [(nids[user], f"for {user!r}")], (user, log)
    (number,) = await service.publish({"user_id": 42, "message": "a number is its text"})
    assert [item["nid"] for item in await service.routed("42", 1)] == [number]


@case
async def live_over_every_transport(service: Service) -> None:
    """WebSocket, SSE and a waiting pull of one user get the same, live, whichever node took the publish."""
    phone, events = Phone(service, "live"), Events(service, "live")
    await phone.connect()
    await events.connect()
    (cur, _) = await service.pull("live", "since=all")
    nids = []
    for n in range(12):
        waiting = asyncio.create_task(service.pull("live", f"cur={cur}&wait=30"))
        nids += await service.publish({"user_id": "live", "message": f"{n}"})
        cur, frames = await waiting
        assert [item["nid"] for item in items_of(frames)] == nids[-1:], frames
    assert await phone.has(12) == nids
    assert await events.has(12) == nids
    assert phone.items == events.items
    await phone.close()
    await events.close()


@case
async def events_resume(service: Service) -> None:
    """Last-Event-ID takes up where the stream was cut, in another node too."""
    nids = await service.publish(*({"user_id": "sse", "message": f"{n}"} for n in range(20)))
    events = Events(service, "sse")
    await events.connect("since=all")
    assert await events.has(20) == nids
    # From the middle: the id of an event that carried items, but not of the last one.
    at = {item["nid"]: id for id, frame in events.frames if frame["t"] == "n" for item in frame["items"]}
    await events.close()
    more = await service.publish(*({"user_id": "sse", "message": f"{n}"} for n in range(20, 25)))
    again = Events(service, "sse")
    await again.connect(last_event_id=at[nids[-1]])
    assert await again.has(5) == more
    await again.close()


@case
async def offline_then_back(service: Service) -> None:
    """What came while the user was away is there when she is back: all, in order, and nothing again."""
    phone = Phone(service, "away", "phone", credit=16)
    await phone.connect()
    first = await service.publish(*({"user_id": "away", "message": f"{n}"} for n in range(5)))
    assert await phone.has(5) == first
    await phone.close()
    phone.forget()
    missed = []
    for n in range(15):
        missed += await service.publish(*({"user_id": "away", "message": f"{n}.{m}"} for m in range(10)))
    welcome = await phone.connect()
    assert welcome["resume"] == "ok", welcome
    while len(phone.items) < 150:
        had = len(phone.items)
        phone.ack()  # its credit is small
        await phone.until(lambda: len(phone.items) > had, "the backlog goes on")
    assert await phone.has(150) == missed
    live = await service.publish({"user_id": "away", "message": "and live again"})
    phone.ack()
    assert await phone.has(151) == missed + live
    await phone.close()


@case
async def order_of_one_user(service: Service) -> None:
    """Eight publishers at once, at every node: a device that comes and goes sees each once, each publisher's in its
    order, and the same order as the log has."""
    user, each = "order", 22
    phone = Phone(service, user, "phone")
    published: dict[int, list[str]] = {}

    async def publish(who: int) -> None:
        published[who] = []
        for n in range(each):
            published[who] += await service.publish({"user_id": user, "message": f"{who} {n}"})

    publishers = [asyncio.create_task(publish(who)) for who in range(8)]
    while not all(publisher.done() for publisher in publishers):
        await phone.connect()
        had = len(phone.items)
        await phone.until(lambda: len(phone.items) >= had + 10 or all(p.done() for p in publishers), "some come")
        await phone.lose()
    await asyncio.gather(*publishers)
    await phone.connect()
    await phone.has(8 * each)
    nids = [item["nid"] for item in phone.items]
    assert nids == [item["nid"] for item in await service.log(user)]
    for who, wanted in published.items():
        assert [nid for nid in nids if nid in set(wanted)] == wanted, f"publisher {who}"
    assert sorted(nids, key=lambda nid: tuple(map(int, nid.split("-")))) == nids
    await phone.close()


@case
async def large_notifications(service: Service) -> None:
    """The largest message and data come as they were sent."""
    message, data = "\u00e4" * 8_192, {"blob": "x" * 60_000}
    nids = await service.publish(*({"user_id": "large", "message": message, "data": data} for _ in range(8)))
    phone = Phone(service, "large")
    await phone.connect()
    assert await phone.has(8) == nids
    assert all(item["body"] == message and item["data"] == data for item in phone.items)
    await phone.close()


@case
async def many_users_at_once(service: Service) -> None:
    """Two hundred devices on all nodes, each user's own and nothing else, live."""
    phones = [Phone(service, f"crowd{n}") for n in range(200)]
    await asyncio.gather(*(phone.connect() for phone in phones))
    wanted: dict[str, list[str]] = {phone.user: [] for phone in phones}
    for n in range(5):
        nids = await service.publish(*({"user_id": phone.user, "message": f"{n}"} for phone in phones))
        for phone, nid in zip(phones, nids):
            wanted[phone.user].append(nid)
    for phone in phones:
        assert await phone.has(5) == wanted[phone.user]
    await asyncio.gather(*(phone.close() for phone in phones))


@case
async def says_what_it_is(service: Service) -> None:
    """Every node says that it is ready, and how durable an answer is."""
    for node in service.nodes:
        status, answer, _ = await service.request("GET", "/readyz", {}, port=node.port)
        assert status == 200, answer
        ready = json.loads(answer)
        assert ready["ready"] is True and ready["durability"] == "sync", ready
        status, _, _ = await service.request("GET", "/healthz", {}, port=node.port)
        assert status == 200


