"""Cases: receipts, cursors, marks, counts, pages, limits: what a device says and what all of the user's devices see."""

from service import LOG_MAX, Phone, Service, parse_id, until_true
from suite import case


# `count` notifications for the user.
async def fill(service: Service, user: str, count: int, **fields: object) -> list[str]:
    nids: list[str] = []
    for at in range(0, count, 50):
        nids += await service.publish(
            *({"user_id": user, "message": f"{n}", **fields} for n in range(at, min(count, at + 50)))
        )
    return nids


@case
async def stored_cursor(service: Service) -> None:
    """A device that leaves its cursor to the server goes on behind its last receipt, over WebSocket and over HTTP."""
    nids = await fill(service, "receipts", 10)
    phone, probe = Phone(service, "receipts", "phone"), Phone(service, "receipts", "probe")
    await phone.connect()
    assert await phone.has(10) == nids
    tenth = phone.cursor
    phone.ack()
    await phone.close()  # the server has read what came before it
    more = await fill(service, "receipts", 5)
    # Another device has a cursor of its own.
    assert (await probe.connect())["resume"] == "fresh"
    assert await probe.has(15) == nids + more

    # A receipt over WebSocket has no answer: it is stored soon, and then every node knows it.
    async def stored() -> bool:
        for node in service.nodes:
            other = Phone(service, "receipts", "phone")
            welcome = await other.connect(port=node.port)
            await other.lose()
            if welcome["resume"] != "ok" or welcome["cur"] != tenth:
                return False
        return True

    await until_true(stored, "the receipt is stored")
    phone.cursor = ""
    phone.forget()
    welcome = await phone.connect()
    assert welcome["resume"] == "ok" and welcome["cur"] == tenth, welcome
    assert await phone.has(5) == more
    # Over HTTP it is stored when it is answered; a lower one changes nothing.
    assert await service.ack("receipts", "phone", f"{phone.epoch}:{probe.items[12]['id']}") == 204
    assert await service.ack("receipts", "phone", f"{phone.epoch}:{probe.items[2]['id']}") == 204
    await phone.lose()
    phone.cursor = ""
    phone.forget()
    welcome = await phone.connect()
    assert welcome["cur"] == probe.items[12]["id"], welcome
    assert await phone.has(2) == more[3:]
    await phone.close()
    await probe.close()


@case
async def marks_and_counts(service: Service) -> None:
    """What one device marks, every device sees, with the same counts; each state includes those before it."""
    nids = await fill(service, "marks", 6) + await fill(service, "marks", 2, priority="critical")
    await service.routed("marks", 8)
    phone, laptop = Phone(service, "marks", "phone"), Phone(service, "marks", "laptop")
    welcome = await phone.connect()
    assert welcome["counts"]["unread"] == 8 and welcome["counts"]["unseen"] == 8, welcome
    await laptop.connect()
    await phone.has(8)
    await laptop.has(8)
    by_nid = {item["nid"]: item for item in phone.items}
    assert set(by_nid) == set(nids)
    steps = [
        ("seen", nids[:2], 8, 6),
        ("read", nids[1:3], 6, 5),
        ("archive", nids[3:4], 5, 4),
        ("delete", nids[4:5], 4, 3),
        ("read", nids[6:7], 3, 2),
        ("unread", nids[1:2], 4, 2),
    ]
    for n, (op, ids, unread, unseen) in enumerate(steps):
        counts = await phone.mark(op, *ids)
        assert (counts["unread"], counts["unseen"]) == (unread, unseen), (op, ids, counts)
        for device in (phone, laptop):
            await device.until(lambda: len(device.states) > n, f"the state change {op} comes to both devices")
            state = device.states[n]
            assert state["op"] == op and state["ids"] == ids and state["by"] == "phone", state
            assert (state["counts"]["unread"], state["counts"]["unseen"]) == (unread, unseen), state
    assert phone.states == laptop.states
    # A fresh device sees the outcome; what was deleted is not there.
    states = {item["nid"]: item["state"] for item in await service.log("marks")}
    wanted = dict(zip(nids, ("seen", "seen", "read", "archived", None, "unread", "read", "unread")))
    assert states == {nid: state for nid, state in wanted.items() if state}, states
    counts = (await Phone(service, "marks").connect())["counts"]
    assert (counts["unread"], counts["unseen"]) == (4, 2), counts
    assert counts["by_priority"].get("critical") == 1, counts
    await phone.close()
    await laptop.close()


@case
async def a_mark_repeated(service: Service) -> None:
    """A mark with the same `mid` happens once, also from another session and on another node."""
    (nid,) = await fill(service, "repeats", 1)
    phone = Phone(service, "repeats", "phone")
    await phone.connect()
    await phone.has(1)
    assert (await phone.mark("read", nid, mid="m-1"))["unread"] == 0
    assert (await phone.mark("unread", nid, mid="m-2"))["unread"] == 1
    for _ in range(2):
        assert (await phone.mark("read", nid, mid="m-1"))["unread"] == 1
    again = Phone(service, "repeats", "phone")
    await again.connect()
    assert (await again.mark("read", nid, mid="m-1"))["unread"] == 1
    assert (await again.mark("read", nid, mid="m-3"))["unread"] == 0
    await phone.until(lambda: len(phone.states) >= 3, "the third state change comes")
    assert [state["op"] for state in phone.states] == ["read", "unread", "read"], phone.states
    await phone.close()
    await again.close()


@case
async def a_mark_up_to(service: Service) -> None:
    """`upto` covers what is there at or below it, and nothing later."""
    nids = await fill(service, "upto", 12)
    phone = Phone(service, "upto", "phone")
    await phone.connect()
    await phone.has(12)
    assert (await phone.mark("read", upto=phone.items[7]["id"], ch=""))["unread"] == 4
    states = {item["nid"]: item["state"] for item in await service.log("upto")}
    assert [states[nid] for nid in nids] == ["read"] * 8 + ["unread"] * 4, states
    await phone.close()


@case
async def pages_of_the_inbox(service: Service) -> None:
    """`list` pages the log from its newest, by filter; what came since the first page does not move them."""
    nids = await fill(service, "pages", 30)
    phone = Phone(service, "pages", "phone")
    await phone.connect()
    await phone.has(30)
    await phone.mark("read", *nids[:5])
    await phone.mark("archive", *nids[5:10])
    await phone.mark("delete", *nids[10:12])
    for filter, wanted in (("inbox", nids[:5] + nids[12:]), ("unread", nids[12:]), ("archived", nids[5:10]),
                           ("all", nids[:10] + nids[12:])):  # fmt: skip
        got: list[str] = []
        page = await phone.list(filter=filter, limit=7)
        await service.publish({"user_id": "pages", "message": "meanwhile"})
        while True:
            got += [item["nid"] for item in page["items"]]
            if not page.get("before"):
                break
            page = await phone.list(filter=filter, limit=7, before=page["before"])
        new = [item["nid"] for item in phone.items if item["nid"] not in nids]
        assert [nid for nid in got if nid not in new] == wanted[::-1], (filter, got)
    await phone.close()


@case
async def resume_of_every_kind(service: Service) -> None:
    """A cursor within the log goes on; one of another epoch or above the head starts over; none is a fresh start."""
    nids = await fill(service, "resume", 9)
    phone = Phone(service, "resume")
    assert (await phone.connect())["resume"] == "fresh"
    assert await phone.has(9) == nids
    middle, epoch, head = phone.items[3]["id"], phone.epoch, phone.items[-1]["id"]
    await phone.close()

    async def come(wanted: str, items: list[str], **hello: object) -> None:
        other = Phone(service, "resume")
        welcome = await other.connect(**hello)
        assert welcome["resume"] == wanted, (hello, welcome)
        assert welcome["epoch"] == epoch and parse_id(welcome["head"]) >= parse_id(head)
        assert await other.has(len(items)) == items, hello
        await other.close()

    await come("ok", nids[4:], cur=middle, epoch=epoch)
    # The entry need not be there: a cursor is a number.
    ms, n = parse_id(middle)
    await come("ok", nids[4:] if parse_id(phone.items[4]["id"]) > (ms, n + 1) else nids[5:], cur=f"{ms}-{n + 1}", epoch=epoch)
    await come("ok", [], cur=head, epoch=epoch)
    await come("reset", nids, cur=f"{parse_id(head)[0] + 1}-0", epoch=epoch)
    await come("reset", nids, cur=middle, epoch=epoch[:-1] + ("0" if epoch[-1] != "0" else "1"))
    await come("reset", nids, cur=middle, epoch=(await Phone(service, "somebody else").connect())["epoch"])
    await come("fresh", [], since="new")
    await come("ok", nids, cur="0-0", epoch=epoch)


@case
async def limits_of_a_log(service: Service) -> None:
    """Beyond log_max_entries the oldest go: the floor moves, counts follow, an old cursor is told of the gap."""
    user, more = "limits", 40
    nids = await fill(service, user, LOG_MAX)
    phone = Phone(service, user, "phone")
    await phone.connect()
    await phone.has(LOG_MAX)
    assert phone.welcome["floor"] == "0-0", phone.welcome
    early, late = phone.items[10]["id"], phone.items[more + 50]["id"]
    epoch = phone.epoch
    await phone.mark("read", nids[0])
    nids += await fill(service, user, more)
    await phone.has(LOG_MAX + more)

    async def trimmed() -> bool:  # a limit may be exceeded by a few for a while, to spare work
        return len(await service.log(user)) <= LOG_MAX

    await until_true(trimmed, "the log is within its limit")
    log = await service.log(user)
    assert [item["nid"] for item in log] == nids[-len(log) :]
    assert len(log) >= LOG_MAX * 9 // 10, len(log)
    old = Phone(service, user)
    welcome = await old.connect(cur=early, epoch=epoch)
    assert welcome["resume"] == "gap" and welcome["cur"] == welcome["floor"], welcome
    assert parse_id(early) < parse_id(welcome["floor"]) < parse_id(log[0]["id"])
    assert welcome["counts"]["unread"] == len(log), welcome
    assert await old.has(len(log)) == nids[-len(log) :]
    await old.close()
    young = Phone(service, user)
    assert (await young.connect(cur=late, epoch=epoch))["resume"] == "ok"
    assert await young.has(LOG_MAX + more - (more + 51)) == nids[more + 51 :]
    await young.close()
    await phone.close()


@case
async def two_sessions_of_a_device(service: Service) -> None:
    """Two tabs of one browser, each from its own position; both get what is new."""
    nids = await fill(service, "tabs", 4)
    one, two = Phone(service, "tabs", "browser"), Phone(service, "tabs", "browser")
    await one.connect()
    assert await one.has(4) == nids
    await two.connect(cur=one.items[1]["id"], epoch=one.epoch)
    assert await two.has(2) == nids[2:]
    more = await service.publish({"user_id": "tabs", "message": "to both"})
    assert await one.has(5) == nids + more and await two.has(3) == nids[2:] + more
    await one.close()
    await two.close()
