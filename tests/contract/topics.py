"""Cases: topics. One publish is one stored entry, whoever follows."""

import json

from service import API_KEY, Phone, Service, token, until_true
from suite import case


class TopicPhone(Phone):
    """A phone whose token has the claim `topics`; None: it has none."""

    def __init__(self, service: Service, user: str, rights: list[str] | None, device: str = "", credit: int = 1024):
        super().__init__(service, user, device, credit)
        self.rights = rights

    async def connect(self, port: int = 0, topics: list[str] | None = None, **fields: object) -> dict:
        return await super().connect(port, tok=token(self.user, self.rights), topics=topics or [], **fields)

    async def sub(self, *topics: str, **fields: object) -> dict:
        reply = await self.ask({"t": "sub", "topics": list(topics), **fields})
        assert reply["t"] == "ok", reply
        return reply["topics"]


# Publishes to a topic so many, and answers the nids.
async def tell(service: Service, topic: str, count: int = 1, **fields: object) -> list[str]:
    return await service.publish(*({"topic": topic, "message": f"{topic} {n}", **fields} for n in range(count)))


@case
async def a_topic_reaches_who_subscribed(service: Service) -> None:
    """A publish to a topic, over HTTP and over XADD, reaches each device that has it, once, on whatever node, and nobody
    else; a device that comes later starts at the head, or where its `since` says."""
    phones = [TopicPhone(service, f"topical-{n}", ["sports:*"]) for n in range(4)]
    for phone in phones:
        welcome = await phone.connect(topics=["sports:golf"])
        assert welcome["cur"].keys() == {"", "broadcast", "sports:golf"} and "refused" not in welcome, welcome
    stranger = Phone(service, "untopical", "phone")
    await stranger.connect()
    nids = await tell(service, "sports:golf", 2)
    producer = service.producer()
    entry = await service.ask(producer.xadd, "notifications_stream", {"topic": "sports:golf", "message": "over XADD"})
    nids.append(entry.decode() if isinstance(entry, bytes) else entry)
    for phone in phones:
        assert await phone.has(3) == nids
        assert {item["body"] for item in phone.items} == {"sports:golf 0", "sports:golf 1", "over XADD"}
    late, later = TopicPhone(service, "topic-late", ["sports:golf"]), TopicPhone(service, "topic-later", ["sports:golf"])
    await late.connect(topics=["sports:golf"])
    assert (await later.connect(topics=["sports:golf"], since="all"))["resume"]["sports:golf"] == "fresh"
    assert await later.has(3) == nids
    nids += await tell(service, "sports:golf")
    assert await late.has(1) == nids[-1:]
    for phone in [*phones, later]:
        assert await phone.has(4) == nids
    (own,) = await service.publish({"user_id": "untopical", "message": "own"})
    assert await stranger.has(1) == [own], "a client without topics has none"
    for phone in [*phones, late, later, stranger]:
        await phone.close()


@case
async def channels_resume_by_themselves(service: Service) -> None:
    """Each channel goes on from its own cursor, also across a crash of every node; the own log is one of them."""
    phone = TopicPhone(service, "resumer", ["a", "b"])
    await phone.connect(topics=["a", "b"])
    first = (await tell(service, "a"))[0], (await tell(service, "b"))[0]
    own = await service.publish({"user_id": "resumer", "message": "own"})
    await phone.has(3)
    await phone.lose()
    missed = [*await tell(service, "a", 3), *await tell(service, "b", 2), *await service.publish({"user_id": "resumer", "message": "own"})]
    await service.crash_all()
    phone.forget()
    welcome = await phone.connect(topics=["a", "b"])
    assert set(welcome["resume"].values()) == {"ok"}, welcome
    assert set(await phone.has(6)) == set(missed), (first, own)
    await phone.close()


@case
async def rights_are_by_topic(service: Service) -> None:
    """A topic that the token does not allow is refused, and the others work; a new token takes a topic away at once, and
    only that one."""
    phone = TopicPhone(service, "limited", ["news", "team.*"])
    welcome = await phone.connect(topics=["news", "secret"])
    assert welcome["refused"]["secret"]["code"] == "topic_forbidden", welcome
    assert "secret" not in welcome["cur"]
    results = await phone.sub("team.red", "team", "no such name")
    assert results["team.red"]["resume"] == "fresh", results
    assert results["team"]["code"] == "topic_forbidden" and results["no such name"]["code"] == "bad_topic", results
    await tell(service, "secret")
    nids = [*await tell(service, "news"), *await tell(service, "team.red")]
    assert set(await phone.has(2)) == set(nids)

    reply = await phone.ask({"t": "auth", "tok": token("limited", ["news"])})
    assert reply["t"] == "ok", reply
    assert [(end["ch"], end["code"]) for end in phone.ends] == [("team.red", "topic_forbidden")], phone.ends
    await tell(service, "team.red")
    nids += await tell(service, "news")
    assert (await phone.has(3))[2:] == nids[2:]
    assert (await phone.sub("team.red"))["team.red"]["code"] == "topic_forbidden"

    reply = await phone.ask({"t": "unsub", "topics": ["news"]})
    assert reply["topics"] == {"news": {}}, reply
    await tell(service, "news")
    nids += await service.publish({"user_id": "limited", "message": "own"})
    assert (await phone.has(4))[3:] == nids[3:], "what was unsubscribed is silent"
    await phone.close()


@case
async def credit_spans_the_channels(service: Service) -> None:
    """Not more than `credit` items are un-acked over all channels; an ack in any of them returns some, and all comes."""
    phone = TopicPhone(service, "thrifty", ["busy*"], credit=8)
    await phone.connect(topics=["busy1", "busy2"])
    expected = {*await tell(service, "busy1", 20), *await tell(service, "busy2", 20)}
    expected |= set(await service.publish(*({"user_id": "thrifty", "message": str(n)} for n in range(20))))
    had = 0
    while len(phone.items) < 60:
        await phone.until(lambda had=had: len(phone.items) > had, "more comes")
        assert len(phone.items) - had <= 8, "more than the credit came"
        had = len(phone.items)
        phone.ack()
    assert {item["nid"] for item in phone.items} == expected
    await phone.close()


@case
async def topics_are_named_well(service: Service) -> None:
    """A publish says exactly one of user_id, user_ids and topic; each mistake has its precise error, over XADD its dead
    letter; the trail of a topic's notification names the topic."""
    headers = {"x-api-key": API_KEY, "Content-Type": "application/json"}
    for body, field, detail in [
        ({"topic": "a b", "message": "m"}, "topic", "expected 1 to 128 of"),
        ({"topic": 7, "message": "m"}, "topic", "expected a string"),
        ({"topic": "a", "user_id": "u", "message": "m"}, "user_id", "exactly one of"),
        ({"user_ids": ["u"], "topic": "a", "message": "m"}, "topic", "exactly one of"),
    ]:
        status, answer, _ = await service.request("POST", "/v1/notifications", headers, json.dumps(body).encode())
        problem = json.loads(answer)
        assert status == 400 and problem["field"] == field and detail in problem["detail"], (body, answer)
    producer = service.producer()
    entry = await service.ask(producer.xadd, "notifications_stream", {"topic": "a b", "message": "m"})
    nid = entry.decode() if isinstance(entry, bytes) else entry

    async def trail(of: str) -> dict:
        status, answer, _ = await service.request("GET", f"/v1/notifications/{of}", {"x-api-key": API_KEY})
        return json.loads(answer) if status == 200 else {"status": "accepted"}

    async def dead() -> dict | None:
        found = await trail(nid)
        return found if found["status"] == "dead_lettered" else None

    assert "`topic`: expected 1 to 128" in (await until_true(dead, "it is a dead letter"))["reason"]
    (good,) = await tell(service, "trailed")

    async def routed() -> dict | None:
        found = await trail(good)
        return found if found["status"] == "routed" else None

    found = await until_true(routed, "it is routed")
    assert [(to["topic"], to["state"]) for to in found["recipients"]] == [("trailed", "live")], found
