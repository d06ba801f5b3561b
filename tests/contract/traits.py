"""Cases: what a log does with its items by itself: collapse, expiry, counts by category."""

import json
import time

from server import API_KEY
from service import Phone, Service, until_true
from suite import case

KEY = {"x-api-key": API_KEY}


async def add(service: Service, user: str, **fields: object) -> str:
    redis = service.producer()
    nid = await service.ask(redis.xadd, "notifications_stream", {"user_id": user, "message": "m", **fields})
    redis.close()
    return nid


async def counts_of(phone: Phone) -> dict:
    return (await phone.list())["counts"]


@case
async def collapse(service: Service) -> None:
    """The newer of two with one collapse_key takes the place of the older unread one on every device; what was read stays;
    by HTTP and by XADD alike."""
    phone, late = Phone(service, "build", "phone"), Phone(service, "build", "late")
    await phone.connect()
    first, other = await service.publish({"user_id": "build", "message": "1 %", "collapse_key": "build"},
                                         {"user_id": "build", "message": "other"})  # fmt: skip
    await phone.has(2)
    second = await add(service, "build", collapse_key="build", priority="high")
    await phone.has(3)
    newest = phone.items[-1]
    assert newest["nid"] == second and newest["replaces"] == [first], newest
    await late.connect()
    await late.has(2)
    assert [item["nid"] for item in late.items] == [other, second], late.items
    for device in (phone, late):
        counts = await counts_of(device)
        assert counts["unread"] == 2 and counts["by_priority"]["high"] == 1, counts

    await phone.mark("read", second)
    (third,) = await service.publish({"user_id": "build", "message": "done", "collapse_key": "build"})
    await phone.has(4)
    assert "replaces" not in phone.items[-1], phone.items[-1]
    # Across a crash, and over another node where there are several.
    await service.crash_all()
    (fourth,) = await service.publish({"user_id": "build", "message": "again", "collapse_key": "build"})
    phone.forget()
    await phone.connect(port=service.nodes[-1].port)
    await phone.has(1)
    assert phone.items[0]["nid"] == fourth and phone.items[0]["replaces"] == [third], phone.items
    page = await phone.list()
    assert [item["nid"] for item in page["items"]] == [fourth, second, other], page
    await phone.close()
    await late.lose()


@case
async def collapse_in_the_order_of_the_stream(service: Service) -> None:
    """Of a low one and a newer critical one with the same key, routed together, the newer stays."""
    redis = service.producer()

    def produce() -> list[str]:
        pipe = redis.pipeline(transaction=False)
        for n in range(20):
            for priority in ("low", "critical"):
                pipe.xadd("notifications_stream", {"user_id": f"together{n}", "message": "m", "priority": priority,
                                                   "collapse_key": "k"})  # fmt: skip
        return pipe.execute()

    nids = await service.ask(produce)
    redis.close()
    for n in range(20):
        async def newest(n: int = n) -> bool:
            return [item["nid"] for item in await service.log(f"together{n}")] == [nids[2 * n + 1]]

        await until_true(newest, f"the newer is all that together{n} has")


@case
async def expiry(service: Service) -> None:
    """What has expired is shown to nobody, leaves every device and the counts, also when its time comes while all nodes are
    down; what was to be delivered and has expired meanwhile is covered by the cursor."""
    phone, late = Phone(service, "offer", "phone"), Phone(service, "offer", "late")
    await phone.connect()
    at = int(time.time() * 1000) + 3000
    short, stays, dated = await service.publish(
        {"user_ids": ["offer", "offer2"], "message": "quick", "ttl_s": 2, "category": "deals"},
        {"user_id": "offer", "message": "stays", "ttl_s": 3600, "category": "deals"},
        {"user_id": "offer", "message": "dated", "expires_at": at},
    )
    added = await add(service, "offer", ttl_s="2")
    await phone.has(4)
    assert phone.items[2]["exp"] == at and phone.items[0]["category"] == "deals", phone.items
    assert phone.items[0]["exp"] == int(short.split("-")[0]) + 2000, phone.items[0]
    counts = await counts_of(phone)
    assert counts["unread"] == 4 and counts["by_category"] == {"deals": 2}, counts

    def expired() -> set[str]:
        return {nid for state in phone.states if state["op"] == "expire" for nid in state["ids"]}

    await phone.until(lambda: expired() == {short, dated, added}, "three of them expire")
    last = phone.states[-1]["counts"]
    assert last["unread"] == 1 and last["by_category"] == {"deals": 1}, last
    await late.connect()
    assert await late.has(1) == [stays]
    assert await service.log("offer2") == []
    metrics = (await service.request("GET", "/metrics", {}))[1].decode()
    assert 'tocsin_notifications_ended_total{reason="expired"}' in metrics

    (gone,) = await service.publish({"user_id": "offer", "message": "while away", "ttl_s": 1})
    await service.crash_all()
    time.sleep(1.2)  # its time passes, whoever looks
    late.forget()
    await late.connect()

    async def settled() -> bool:
        return (await counts_of(late))["unread"] == 1

    await until_true(settled, "the counts are without it")
    assert gone not in {item["nid"] for item in late.items}, late.items
    await late.close()
    await phone.lose()


@case
async def traits_refused(service: Service) -> None:
    """Wrong times and names are refused by name, and nothing is stored; by XADD they are dead letters with the reason."""
    for fields, field in (
        ({"ttl_s": 0}, "ttl_s"),
        ({"ttl_s": 1.5}, "ttl_s"),
        ({"expires_at": 1000}, "expires_at"),
        ({"expires_at": "tomorrow"}, "expires_at"),
        ({"ttl_s": 5, "expires_at": int(time.time() * 1000) + 9000}, "ttl_s"),
        ({"category": "x" * 65}, "category"),
        ({"collapse_key": ""}, None),
    ):
        body = json.dumps({"user_id": "refused", "message": "m", **fields}).encode()
        status, answer, _ = await service.request("POST", "/v1/notifications", {**KEY, "content-type": "application/json"}, body)
        if field is None:
            assert status == 202, answer
        else:
            problem = json.loads(answer)
            assert status == 400 and problem["field"] == field, problem
    redis = service.producer()
    nid = await add(service, "refused", ttl_s="0")

    async def dead() -> bool:
        entries = await service.ask(redis.xrevrange, "notifications_stream:dead", "+", "-", count=10)
        return any("ttl_s" in json.dumps(fields) and nid in json.dumps(fields) for _, fields in entries)

    await until_true(dead, "it is a dead letter that names the field")
    redis.close()
