"""Cases: topics. One publish is one stored entry, whoever follows."""

import json

from service import API_KEY, Events, Phone, Service, token, until_true
from suite import case


class TopicPhone(Phone):
    """A phone whose token has the claim `topics`; None: it has none."""

    def __init__(self, service: Service, user: str, rights: list[str] | None, device: str = "", credit: int = 1024):
        super().__init__(service, user, device, credit)
        self.rights = rights

    async def connect(self, port: int = 0, topics: list[str] | None = None, **fields: object) -> dict:
        return await super().connect(port, tok=token(self.user, self.rights), topics=topics or [], **fields)

    # A receipt in all channels that is stored when this returns; those over the socket may take a moment.
    async def ack_for_good(self) -> None:
        topics = "".join(f",{topic}/{cur}" for topic, cur in self.cursors.items() if topic)
        status = await self.service.ack(self.user, self.device, f"{self.epoch}:{self.cursor}{topics}")
        assert status == 204, status

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
    phone = TopicPhone(service, "restricted", ["news", "team.*"])
    welcome = await phone.connect(topics=["news", "secret"])
    assert welcome["refused"]["secret"]["code"] == "topic_forbidden", welcome
    assert "secret" not in welcome["cur"]
    results = await phone.sub("team.red", "team", "no such name")
    assert results["team.red"]["resume"] == "fresh", results
    assert results["team"]["code"] == "topic_forbidden" and results["no such name"]["code"] == "bad_topic", results
    await tell(service, "secret")
    nids = [*await tell(service, "news"), *await tell(service, "team.red")]
    assert set(await phone.has(2)) == set(nids)

    reply = await phone.ask({"t": "auth", "tok": token("restricted", ["news"])})
    assert reply["t"] == "ok", reply
    assert [(end["ch"], end["code"]) for end in phone.ends] == [("team.red", "topic_forbidden")], phone.ends
    await tell(service, "team.red")
    nids += await tell(service, "news")
    assert (await phone.has(3))[2:] == nids[2:]
    assert (await phone.sub("team.red"))["team.red"]["code"] == "topic_forbidden"

    reply = await phone.ask({"t": "unsub", "topics": ["news"]})
    assert reply["topics"] == {"news": {}}, reply
    await tell(service, "news")
    nids += await service.publish({"user_id": "restricted", "message": "own"})
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


# Follows or unfollows by API, as a back-end; with `as_user`: a token's user does it.
async def follow(service: Service, user: str, topic: str, method: str = "POST", as_user: str = "") -> int:
    headers = {"Authorization": f"Bearer {as_user}"} if as_user else {"x-api-key": API_KEY}
    where = "/v1/me/topics" if as_user else f"/v1/users/{user}/topics"
    if method == "POST":
        status, _, _ = await service.request("POST", where, headers, json.dumps({"topic": topic}).encode())
    else:
        status, _, _ = await service.request("DELETE", f"{where}/{topic}", headers)
    return status


async def followed(service: Service, user: str) -> list[tuple[str, str]]:
    status, answer, _ = await service.request("GET", f"/v1/users/{user}/topics", {"x-api-key": API_KEY})
    assert status == 200, answer
    return [(one["topic"], one["by"]) for one in json.loads(answer)["topics"]]


@case
async def a_follow_is_durable(service: Service) -> None:
    """A follow by API starts at the topic's head of that moment and lasts: each device gets what came since, once, from
    its own stored cursor, also across a crash of every node; unfollowed, it is over."""
    before = await tell(service, "durable", 2)
    await until_true(lambda: settled(service, before[-1]), "they are in the topic's log")
    assert await follow(service, "fan", "durable") == 204
    assert await follow(service, "fan", "durable") == 204, "again: nothing changes"
    assert await followed(service, "fan") == [("durable", "backend")]
    first = await tell(service, "durable", 3)
    phone, tablet = TopicPhone(service, "fan", None, "phone"), TopicPhone(service, "fan", None, "tablet")
    welcome = await phone.connect()
    assert welcome["resume"]["durable"] == "fresh", welcome
    assert await phone.has(3) == first, "not what was there before"
    await phone.ack_for_good()
    await phone.close()
    await service.crash_all()
    second = await tell(service, "durable", 2)
    phone.cursors = {}  # it has forgotten; the server has not
    phone.forget()
    assert (await phone.connect())["resume"]["durable"] == "ok"
    assert await phone.has(2) == second
    assert (await tablet.connect())["resume"]["durable"] == "fresh"
    assert await tablet.has(5) == first + second, "a device of its own"
    await phone.close()
    await tablet.close()

    assert await follow(service, "fan", "durable", "DELETE") == 204
    assert await follow(service, "fan", "durable", "DELETE") == 404
    assert await followed(service, "fan") == []
    assert "durable" not in (await phone.connect())["cur"]
    await phone.close()


# Whether a notification was routed.
async def settled(service: Service, nid: str) -> bool:
    status, answer, _ = await service.request("GET", f"/v1/notifications/{nid}", {"x-api-key": API_KEY})
    return status == 200 and json.loads(answer)["status"] == "routed"


@case
async def follows_and_rights(service: Service) -> None:
    """What users follow themselves needs the claim, at the follow and at each hello; what a back-end made them follow is
    limited by a claim that the token has, not by one that it has not. A new token takes it away at once."""
    limited, unlimited = token("member", ["club*"]), token("member")
    assert await follow(service, "member", "club1", as_user=limited) == 204
    assert await follow(service, "member", "other", as_user=limited) == 403
    assert await follow(service, "member", "club1", as_user=unlimited) == 403
    assert await follow(service, "member", "broadcast", as_user=limited) == 400
    assert await follow(service, "member", "club2") == 204 and await follow(service, "member", "staff") == 204
    assert await followed(service, "member") == [("club1", "user"), ("club2", "backend"), ("staff", "backend")]
    phone = TopicPhone(service, "member", ["club*"])
    assert (await phone.connect())["cur"].keys() == {"", "broadcast", "club1", "club2"}
    assert phone.welcome["refused"].keys() == {"staff"}, phone.welcome
    assert (await phone.ask({"t": "auth", "tok": token("member", ["club1"])}))["t"] == "ok"
    assert [end["ch"] for end in phone.ends] == ["club2"]
    await tell(service, "club2")
    nids = await tell(service, "club1")
    assert await phone.has(1) == nids
    await phone.close()
    free = TopicPhone(service, "member", None)
    assert (await free.connect())["cur"].keys() == {"", "broadcast", "club2", "staff"}
    await free.close()
    assert await follow(service, "member", "club1", "DELETE", as_user=limited) == 204
    for topic in ("club2", "staff"):
        assert await follow(service, "member", topic, "DELETE") == 204


@case
async def topics_over_sse_and_pull(service: Service) -> None:
    """Server-sent events and pulls name topics in the query; the event's id is a cursor of all channels, from which both
    go on, and which POST /v1/ack takes."""
    assert await follow(service, "reader", "gazette") == 204
    events = Events(service, "reader")
    await events.connect("topics=&since=new&dev=web")
    await until_true(lambda: welcomed(events), "the welcome comes")
    nids = await tell(service, "gazette", 2)
    nids += await service.publish({"user_id": "reader", "message": "own"})
    assert set(await events.has(3)) == set(nids)
    last = events.frames[-1][0]
    assert ",gazette/" in last and ",broadcast/" in last, last
    await events.close()
    missed = [*await tell(service, "gazette"), *await service.publish({"user_id": "reader", "message": "own"})]
    events = Events(service, "reader")
    await events.connect("", last_event_id=last)
    assert set(await events.has(2)) == set(missed), "a map of cursors says that it knows of topics"
    await events.close()

    cur, frames = await service.pull("reader", f"cur={last}")
    while len([1 for frame in frames for _ in frame.get("items", [])]) < 2:
        cur, more = await service.pull("reader", f"cur={cur}&wait=5")
        frames += more
    assert {item["nid"] for frame in frames for item in frame.get("items", [])} == set(missed)
    assert await service.ack("reader", "puller", cur) == 204
    own = await tell(service, "gazette")

    async def pulled() -> list[dict] | None:
        _, got = await service.pull("reader", "topics=&dev=puller")
        return [item for frame in got for item in frame.get("items", [])] or None

    assert [item["nid"] for item in await until_true(pulled, "what follows the receipt comes")] == own
    assert await follow(service, "reader", "gazette", "DELETE") == 204


async def welcomed(events: Events) -> bool:
    return bool(events.frames)


# The last of these: what it broadcasts is there for everybody who comes later.
@case
async def a_broadcast_reaches_who_comes_later(service: Service) -> None:
    """`broadcast` reaches everybody who knows of topics, without a right or a follow, also who comes later; a device that
    has acknowledged it does not get it again."""
    here = TopicPhone(service, "early-bird", None, "phone")
    await here.connect(since="new")
    nids = await tell(service, "broadcast", 2)
    assert await here.has(2) == nids
    assert all(item["body"].startswith("broadcast") for item in here.items)
    late = TopicPhone(service, "late-bird", None, "phone")
    await late.connect()
    assert (await late.has(len(late.items) or 2))[-2:] == nids
    await late.ack_for_good()
    await late.close()
    late.cursors = {}
    late.forget()
    assert (await late.connect())["resume"]["broadcast"] == "ok"
    nids += await tell(service, "broadcast")
    assert await late.has(1) == nids[-1:]
    plain = Phone(service, "plain-bird", "phone")
    assert isinstance((await plain.connect())["cur"], str), "a client that says nothing of topics has none"
    for phone in (here, late, plain):
        await phone.close()


@case
async def marks_in_topics(service: Service) -> None:
    """What a user does with items of a topic is the user's: every device hears of it in the order of the own log, counts
    are exact on each, a device that comes later gets the items as they are; another follower is not concerned."""
    for user in ("marker", "bystander"):
        assert await follow(service, user, "board") == 204
    one, two = TopicPhone(service, "marker", None, "one"), TopicPhone(service, "marker", None, "two")
    other = TopicPhone(service, "bystander", None, "phone")
    for phone in (one, two, other):
        await phone.connect(since="new")
    before = one.welcome["counts"]["unread"]  # what was broadcast before
    nids = await tell(service, "board", 5)
    own = await service.publish({"user_id": "marker", "message": "own"})
    for phone, count in ((one, 6), (two, 6), (other, 5)):
        assert set(await phone.has(count)) == set(nids + (own if count == 6 else []))

    counts = await one.mark("read", nids[0], nids[1], ch="board")
    assert counts["unread"] == before + 4, counts
    counts = await two.mark("delete", nids[2], ch="board")
    assert counts["unread"] == before + 3, counts
    for phone in (one, two):
        await phone.until(lambda phone=phone: len(phone.states) == 2, "both changes are told")
        assert [(st["op"], st["of"], st["ids"]) for st in phone.states] == [("read", "board", nids[:2]), ("delete", "board", nids[2:3])]
        assert phone.states[1]["counts"]["unread"] == before + 3, phone.states
        assert phone.states[0]["by"] == "one" and "ch" not in phone.states[0], phone.states
    assert await one.mark("read", nids[0], ch="board") == counts, "nothing changes, nothing is told"

    late = TopicPhone(service, "marker", None, "late")
    assert (await late.connect())["counts"]["unread"] == before + 3, late.welcome
    await late.until(lambda: sum(item["nid"] in nids for item in late.items) == 4, "what is left of the topic is there")
    assert [item["state"] for item in late.items if item["nid"] in nids] == ["read", "read", "unread", "unread"]
    (upto,) = [item["id"] for item in late.items if item["nid"] == nids[4]]
    counts = await late.mark("read", upto=upto, ch="board")
    assert counts["unread"] == before + 1, counts
    for phone in (one, two):
        await phone.until(lambda phone=phone: len(phone.states) == 3, "the third change is told")
        assert phone.states[2]["upto"] == upto and phone.states[2]["counts"]["unread"] == before + 1, phone.states
    assert other.states == [], "another user's marks are nobody else's"
    assert (await other.mark("seen", nids[0], ch="board"))["unread"] == before + 5

    await service.crash_all()
    fresh = TopicPhone(service, "marker", None, "fresh")
    assert (await fresh.connect())["counts"]["unread"] == before + 1, fresh.welcome
    status, answer, _ = await service.request("DELETE", f"/v1/notifications/{nids[3]}", {"x-api-key": API_KEY})
    assert status == 200 and json.loads(answer)["retracted"] == 1, answer
    again = TopicPhone(service, "bystander", None, "again")

    async def taken_back() -> bool:
        welcome = await again.connect()
        await again.close()
        again.cursors = {}
        return welcome["counts"]["unread"] == before + 4

    await until_true(taken_back, "what was taken back counts no more")
    reply = await fresh.ask({"t": "mark", "op": "read", "ids": nids, "ch": "elsewhere"})
    assert reply["code"] == "no_topic", reply
    await fresh.close()
    for phone in (one, two, other, late):
        phone.socket.abort()
