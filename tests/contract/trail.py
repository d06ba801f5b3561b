"""Cases: what became of a notification, and taking it back."""

import json

from server import API_KEY
from service import Phone, Service, until_true
from suite import case


async def call(service: Service, method: str, nid: str, key: str = API_KEY) -> tuple[int, dict]:
    status, answer, _ = await service.request(method, f"/v1/notifications/{nid}", {"x-api-key": key})
    return status, json.loads(answer)


# The trail, once the notification is with its recipients.
async def routed_trail(service: Service, nid: str) -> dict:
    async def routed() -> dict | None:
        status, trail = await call(service, "GET", nid)
        assert status == 200, trail
        return trail if trail["status"] != "accepted" else None

    return await until_true(routed, f"{nid} is routed")


@case
async def trail_of_a_notification(service: Service) -> None:
    """Its trail tells who has it, which device has acknowledged it, and what became of it; a dead letter's says why."""
    (nid,) = await service.publish({"user_ids": ["trail1", "trail2"], "message": "m"})
    trail = await routed_trail(service, nid)
    assert trail["status"] == "routed" and trail["nid"] == nid and trail["accepted"] == int(nid.split("-")[0]), trail
    assert [one["user_id"] for one in trail["recipients"]] == ["trail1", "trail2"]
    assert all(one["state"] == "unread" and not one["acked"] for one in trail["recipients"]), trail

    phone = Phone(service, "trail1", "phone")
    await phone.connect()
    await phone.has(1)
    phone.ack()

    async def acknowledged() -> bool:
        one = (await call(service, "GET", nid))[1]["recipients"][0]
        return one["acked"] and [device["dev"] for device in one["acked_by"]] == ["phone"]

    await until_true(acknowledged, "the receipt shows")
    await phone.mark("read", nid)
    first, second = (await call(service, "GET", nid))[1]["recipients"]
    assert first["state"] == "read" and second["state"] == "unread" and not second["acked"]
    await phone.mark("delete", nid)
    assert (await call(service, "GET", nid))[1]["recipients"][0]["state"] == "gone"
    await phone.close()

    producer = service.producer()
    dead = await service.ask(producer.xadd, "notifications_stream", {"message": "for nobody"})
    trail = await routed_trail(service, dead)
    assert trail["status"] == "dead_lettered" and "user_id" in trail["reason"], trail
    for unknown in ("1-1", "nonsense", "1-1@other"):
        status, answer = await call(service, "GET", unknown)
        assert status == 404 and answer["code"] == "no_notification", (unknown, answer)
    assert (await call(service, "GET", nid, "wrong"))[0] == 401


@case
async def retraction(service: Service) -> None:
    """A retracted notification vanishes, unread as it is, from every device at once, counts and all; who has read it keeps
    it."""
    (nid,) = await service.publish({"user_ids": ["back1", "back2"], "message": "a mistake"})
    (kept,) = await service.publish({"user_ids": ["back1", "back2"], "message": "fine"})
    phones = [Phone(service, user, device) for user in ("back1", "back2") for device in ("phone", "tablet")]
    for phone in phones:
        await phone.connect()
        await phone.has(2)
    await phones[2].mark("read", nid)
    await routed_trail(service, nid)
    status, answer = await call(service, "DELETE", nid)
    assert (status, answer) == (200, {"retracted": 1, "read": 1, "gone": 0}), answer
    for phone in phones[:2]:
        await phone.until(lambda phone=phone: phone.states, "the device is told")
        change = phone.states[-1]
        assert change["op"] == "delete" and change["ids"] == [nid] and change["counts"]["unread"] == 1, change
        assert [item["nid"] for item in (await phone.list())["items"]] == [kept]
    items = (await phones[3].list())["items"]
    assert {item["nid"]: item["state"] for item in items} == {nid: "read", kept: "unread"}, items
    assert [state["op"] for state in phones[3].states] == ["read"]
    assert (await call(service, "DELETE", nid))[1] == {"retracted": 0, "read": 1, "gone": 1}
    assert [item["nid"] for item in await service.log("back1")] == [kept], "who comes later does not get it"
    for phone in phones:
        await phone.close()
