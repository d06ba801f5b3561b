"""Cases: what a user has said about deliveries."""

import json
import time
from urllib.parse import quote

from clients import token
from server import API_KEY
from service import LIMITED_CATEGORY, Phone, Service, until_true
from suite import case

KEY = {"x-api-key": API_KEY}
JSON = {"Content-Type": "application/json"}


def own(user: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(user)}"}


async def call(service: Service, method: str, target: str, headers: dict[str, str], body: object = None) -> tuple[int, dict]:
    sent = b"" if body is None else json.dumps(body).encode()
    status, answer, _ = await service.request(method, target, {**headers, **(JSON if body is not None else {})}, sent)
    return status, json.loads(answer) if answer else {}


@case
async def preferences(service: Service) -> None:
    """What a user prefers is the same by their token and by an API key, survives a kill -9, and is gone when removed."""
    user = "prefers/}:ü 1"
    theirs = f"/v1/users/{quote(user, safe='')}/preferences"
    mine = "/v1/me/preferences"
    assert await call(service, "GET", mine, own(user)) == (200, {})
    wanted = {"mute": ["ads"], "quiet_hours": {"tz": "Europe/Berlin", "from": "22:00", "to": "07:00"}}
    assert await call(service, "PUT", mine, own(user), wanted) == (200, wanted)
    assert await call(service, "GET", theirs, KEY) == (200, wanted)
    await service.crash_all()
    assert await call(service, "GET", mine, own(user)) == (200, wanted)
    assert await call(service, "GET", mine, own("prefers")) == (200, {})
    assert await call(service, "PUT", theirs, KEY, {"mute": ["b", "a", "b"]}) == (200, {"mute": ["a", "b"]})
    assert await call(service, "GET", mine, own(user)) == (200, {"mute": ["a", "b"]})
    assert (await call(service, "DELETE", mine, own(user)))[0] == 204
    assert await call(service, "GET", theirs, KEY) == (200, {})

    assert (await call(service, "GET", mine, {}))[0] == 401
    assert (await call(service, "GET", theirs, {}))[0] == 401
    assert (await call(service, "GET", f"/v1/users/{'x' * 257}/preferences", KEY))[0] == 400
    for body, field in (
        ({"mute": [""]}, "mute[0]"), ({"mute": [str(n) for n in range(101)]}, "mute"), ({"muted": []}, "muted"),
        ({"quiet_hours": {"tz": "Europe/Atlantis", "from": "22:00", "to": "07:00"}}, "quiet_hours.tz"),
        ({"quiet_hours": {"tz": "UTC", "from": "24:00", "to": "07:00"}}, "quiet_hours.from"),
        ({"quiet_hours": {"tz": "UTC", "from": "07:00", "to": "07:00"}}, "quiet_hours.to"),
    ):  # fmt: skip
        status, refusal = await call(service, "PUT", mine, own(user), body)
        assert status == 400 and refusal["field"] == field and refusal["code"] == "bad_field", refusal
    assert await call(service, "GET", mine, own(user)) == (200, {})


async def nids_of(service: Service, user: str) -> list[str]:
    return [item["nid"] for item in await service.log(user)]


async def ended(service: Service, reason: str) -> int:
    """Of all living nodes together."""
    total = 0
    for node in service.nodes:
        _, text, _ = await service.request("GET", "/metrics", {}, port=node.port)
        for line in text.decode().splitlines():
            if line.startswith(f'tocsin_notifications_ended_total{{reason="{reason}"}} '):
                total += int(line.split()[-1])
    return total


@case
async def mute(service: Service) -> None:
    """A category that a user mutes by their own token reaches others and not them, by HTTP and by XADD, also with priority
    critical, until they say otherwise."""
    users, before = ["muter", "listener"], await ended(service, "muted")
    assert (await call(service, "PUT", "/v1/me/preferences", own("muter"), {"mute": ["ads"]}))[0] == 200
    sent = await service.publish(*({"user_ids": users, "message": "m", "category": category, "priority": priority}
                                   for category, priority in (("ads", "critical"), ("bills", "low"), ("ads", "low"))))  # fmt: skip
    producer = service.producer()
    entry = {"user_ids": json.dumps(users), "message": "m", "category": "ads"}
    sent.append(await service.ask(producer.xadd, "notifications_stream", entry))

    async def everything() -> bool:
        return sorted(await nids_of(service, "listener")) == sorted(sent)  # critical ones first

    await until_true(everything, "who mutes nothing has all")
    assert await nids_of(service, "muter") == [sent[1]]
    assert await ended(service, "muted") == before + 3
    assert (await call(service, "PUT", "/v1/me/preferences", own("muter"), {"mute": ["bills"]}))[0] == 200
    after = await service.publish(*({"user_id": "muter", "message": "m", "category": category} for category in ("ads", "bills")))

    async def unmuted() -> bool:
        return await nids_of(service, "muter") == [sent[1], after[0]]

    await until_true(unmuted, "it comes again")
    assert (await call(service, "DELETE", "/v1/me/preferences", own("muter")))[0] == 204
    last = await service.publish({"user_id": "muter", "message": "m", "category": "bills"})

    async def all_again() -> bool:
        return await nids_of(service, "muter") == [sent[1], after[0], *last]

    await until_true(all_again, "everything comes again")


def digest_of(item: dict) -> dict | None:
    return item.get("data", {}).get("digest")


@case
async def digest(service: Service) -> None:
    """Of a category with a rate limit the first come at once, the rest in one digest when the window is over, whatever
    crashes; critical ones are not limited."""
    user, category = "limited", LIMITED_CATEGORY
    phone = Phone(service, user)
    await phone.connect()
    wanted = [{"user_id": user, "message": f"{n}", "category": category, "priority": "high" if n == 3 else "low"}
              for n in range(5)]  # fmt: skip
    sent = await service.publish(*wanted[:2])
    await phone.has(2)
    sent += await service.publish(*wanted[2:])  # of which the high one is routed first
    urgent = await service.publish({"user_id": user, "message": "!", "category": category, "priority": "critical"})
    free = await service.publish({"user_id": user, "message": "free", "category": "other"})
    await phone.has(4)
    assert sorted(item["nid"] for item in phone.items) == sorted(sent[:2] + urgent + free), phone.items
    await phone.close()
    await service.crash_all()
    phone = Phone(service, user)
    await phone.connect()
    await phone.has(5)
    await phone.close()
    items = await service.log(user)
    told = digest_of(items[4])
    assert told | {"nids": sorted(told["nids"])} == {"count": 3, "category": category, "nids": sorted(sent[2:])}, items
    assert items[4]["prio"] == "high" and items[4]["category"] == category, items[4]
    assert items[4]["body"] == f"3 more notifications in {category}", items[4]
    again = await service.publish({"user_id": user, "message": "next window", "category": category})

    async def new_window() -> bool:
        return (await nids_of(service, user))[5:] == again

    await until_true(new_window, "a new window begins")


def quiet_now() -> dict:
    """Quiet hours that it is in the midst of."""
    now = time.gmtime()
    return {"tz": "UTC", "from": f"{(now.tm_hour - 2) % 24:02}:00", "to": f"{(now.tm_hour + 2) % 24:02}:00"}


@case
async def quiet_hours(service: Service) -> None:
    """In quiet hours everything but what is critical is held for that user only: listed with the time of its end, known
    to its trail, kept across a kill -9, and cancelled like all that is scheduled. What comes after they are removed is
    delivered at once."""
    users = ["sleeper", "waker"]
    assert (await call(service, "PUT", "/v1/me/preferences", own("sleeper"), {"quiet_hours": quiet_now()}))[0] == 200
    held = await service.publish(*({"user_ids": users, "message": "m", "priority": priority} for priority in ("low", "high")))
    urgent = await service.publish({"user_ids": users, "message": "m", "priority": "critical"})

    async def delivered() -> bool:
        return sorted(await nids_of(service, "waker")) == sorted(held + urgent) and await nids_of(service, "sleeper") == urgent

    await until_true(delivered, "the others have all, the sleeper what is critical")

    async def listed() -> list[dict]:
        status, page = await call(service, "GET", "/v1/schedules?limit=1000", KEY)
        assert status == 200, page
        return [item for item in page["items"] if item.get("user_id") == "sleeper"]

    items = await listed()
    assert sorted(item["nid"] for item in items) == sorted(held), items
    for item in items:
        assert 0 < item["deliver_at"] - time.time() * 1000 < 3 * 3_600_000 and item["deliver_at"] % 3_600_000 == 0, item
    await service.crash_all()
    assert await listed() == items

    async def trailed() -> bool:
        status, trail = await call(service, "GET", f"/v1/notifications/{held[0]}", KEY)
        states = {recipient["user_id"]: recipient["state"] for recipient in trail.get("recipients", [])}
        assert status == 200 and states in ({}, {"sleeper": "held", "waker": "unread"}), trail
        return bool(states)

    await until_true(trailed, "its trail tells, once a node is at work again")
    assert await call(service, "DELETE", f"/v1/schedules/{held[0]}", KEY) == (200, {"cancelled": True})
    assert [item["nid"] for item in await listed()] == held[1:]
    assert (await call(service, "DELETE", "/v1/me/preferences", own("sleeper")))[0] == 204
    after = await service.publish({"user_id": "sleeper", "message": "m"})

    async def awake() -> bool:
        return await nids_of(service, "sleeper") == urgent + after

    await until_true(awake, "what comes then is not held")
    assert [item["nid"] for item in await listed()] == held[1:], "what was held keeps its time"
    assert await call(service, "DELETE", f"/v1/schedules/{held[1]}", KEY) == (200, {"cancelled": True})
