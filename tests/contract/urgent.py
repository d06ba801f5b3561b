"""Cases: what is urgent overtakes what waits."""

from service import LOG_MAX, Phone, Service
from state import fill
from suite import case

BACKLOG = LOG_MAX - 20


@case
async def overtakes_a_backlog(service: Service) -> None:
    """A critical notification comes at once to a device that has a long backlog and no credit left, and comes again in its
    order; one that lay in the backlog when the device came overtakes it, too. Nothing else does."""
    await fill(service, "urgent", BACKLOG)
    await service.routed("urgent", BACKLOG)  # else the router lets what is urgent overtake
    (lying,) = await fill(service, "urgent", 1, priority="high")
    await service.routed("urgent", BACKLOG + 1)
    phone = Phone(service, "urgent", "phone", credit=64)
    await phone.connect()
    await phone.has(64)
    await phone.until(lambda: phone.early, "what is urgent in the backlog comes early")
    assert [item["nid"] for item in phone.early] == [lying], phone.early

    (critical,) = await fill(service, "urgent", 1, priority="critical")
    (plain,) = await fill(service, "urgent", 1, priority="normal")
    await phone.until(lambda: len(phone.early) == 2, "a new critical one comes early")
    assert phone.early[1]["nid"] == critical and phone.early[1]["prio"] == "critical", phone.early
    assert len(phone.items) == 64, "nothing else went beyond the credit"
    phone.socket.send({"t": "ack", "nids": [lying, critical]})

    total = BACKLOG + 3
    while len(phone.items) < total:
        had = len(phone.items)
        phone.ack()
        await phone.until(lambda had=had: len(phone.items) >= min(had + 64, total), "the backlog goes on")
    nids = [item["nid"] for item in phone.items]
    # Between priorities no order is promised; for one it is, and all of these came behind the backlog.
    assert len(nids) == total and set(nids[BACKLOG:]) == {lying, critical, plain}, phone.items[-5:]
    assert len(phone.early) == 2, "each was early once"
    await phone.close()
