"""Cases: delivery at a later time."""

import json
import time

from server import API_KEY
from service import Phone, Service, until_true
from suite import case

KEY = {"x-api-key": API_KEY}


async def call(service: Service, method: str, target: str) -> tuple[int, dict]:
    status, answer, _ = await service.request(method, target, KEY)
    return status, json.loads(answer)


async def listed(service: Service, limit: int = 2) -> list[dict]:
    items, after = [], ""
    while True:
        status, page = await call(service, "GET", f"/v1/schedules?limit={limit}{after}")
        assert status == 200 and len(page["items"]) <= limit, page
        items += page["items"]
        if "after" not in page:
            return items
        after = f"&after={page['after']}"


def now_ms() -> int:
    return int(time.time() * 1000)


@case
async def schedule(service: Service) -> None:
    """What is scheduled is listed in the order of its time, survives a kill -9, comes at its time and not before, once;
    what was cancelled never comes."""
    due = now_ms() + 8000
    offsets = (3_600_000, 0, 500, 7_200_000, 0)
    nids = await service.publish(*({"user_ids": ["later", "later2"], "message": f"{n}", "deliver_at": due + offset}
                                   for n, offset in enumerate(offsets)))  # fmt: skip
    items = []

    async def all_listed() -> bool:  # on a Redis the router puts them there, soon
        nonlocal items
        items = await listed(service)
        return len(items) == len(nids)

    await until_true(all_listed, "all are listed")
    assert [item["nid"] for item in items] == [nids[n] for n in (1, 4, 2, 0, 3)], items
    assert items[2] == {"nid": nids[2], "deliver_at": due + 500, "users": 2, "stream": "notifications_stream"}, items[2]
    status, trail = await call(service, "GET", f"/v1/notifications/{nids[1]}")
    assert status == 200 and trail["status"] == "scheduled" and trail["deliver_at"] == due, trail

    assert await call(service, "DELETE", f"/v1/schedules/{nids[0]}") == (200, {"cancelled": True})
    assert await call(service, "DELETE", f"/v1/notifications/{nids[4]}") == (200, {"cancelled": True})
    status, answer = await call(service, "DELETE", f"/v1/schedules/{nids[0]}")
    assert status == 404 and answer["code"] == "not_scheduled", answer
    await service.crash_all()
    for nid in (nids[0], nids[4]):
        status, trail = await call(service, "GET", f"/v1/notifications/{nid}")
        assert status == 200 and trail["status"] == "cancelled", trail
        assert [one["state"] for one in trail["recipients"]] == ["cancelled", "cancelled"], trail
    assert [item["nid"] for item in await listed(service)] == [nids[n] for n in (1, 2, 3)]

    producer = service.producer()
    text = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime((due + 2000) / 1000))
    added = await service.ask(producer.xadd, "notifications_stream",
                              {"user_id": "later", "message": "by XADD", "deliver_at": text})  # fmt: skip
    early = await service.log("later")
    if now_ms() < due:
        assert early == [], early
    (at_once,) = await service.publish({"user_id": "soon", "message": "m", "deliver_at": now_ms() - 30_000})
    soon = await until_true(lambda: service.log("soon"), "up to a minute ago means at once")
    assert [item["nid"] for item in soon] == [at_once], soon
    phone = Phone(service, "later")
    await phone.connect()
    await phone.has(3)
    assert [item["nid"] for item in phone.items] == [nids[1], nids[2], added]
    assert phone.items[0]["ts"] >= due and phone.items[1]["ts"] >= due + 500, phone.items
    await phone.close()
    assert [item["nid"] for item in await listed(service)] == [nids[3]]
    status, trail = await call(service, "GET", f"/v1/notifications/{nids[1]}")
    assert trail["status"] == "routed" and trail["recipients"][1]["state"] == "unread", trail
    assert [item["nid"] for item in await service.log("later2")] == [nids[1], nids[2]]
    assert (await call(service, "DELETE", f"/v1/schedules/{nids[1]}"))[0] == 404
    assert (await call(service, "DELETE", f"/v1/schedules/{nids[3]}"))[0] == 200


@case
async def schedule_refusals(service: Service) -> None:
    """A time that makes no sense is refused by name; by XADD it is a dead letter with the reason."""
    headers = {**KEY, "Content-Type": "application/json"}
    for at, reason in ((1, "in the past"), (now_ms() + 367 * 86_400_000, "ahead"), ("soon", "RFC 3339"), (1.5, "RFC 3339")):
        body = json.dumps({"user_id": "never", "message": "m", "deliver_at": at}).encode()
        status, answer, _ = await service.request("POST", "/v1/notifications", headers, body)
        refusal = json.loads(answer)
        assert status == 400 and refusal["field"] == "deliver_at" and reason in refusal["detail"], refusal
    for query in ("limit=0", "limit=1001", "limit=x", "after=x", "after=AAAA"):
        assert (await call(service, "GET", f"/v1/schedules?{query}"))[0] == 400, query
    assert (await service.request("GET", "/v1/schedules", {}))[0] == 401
    producer = service.producer()
    added = await service.ask(producer.xadd, "notifications_stream", {"user_id": "never", "message": "m", "deliver_at": "1"})

    async def dead() -> bool:
        status, trail = await call(service, "GET", f"/v1/notifications/{added}")
        return status == 200 and trail["status"] == "dead_lettered" and "in the past" in trail["reason"]

    await until_true(dead, "the dead letter says why")
    assert await service.log("never") == []
