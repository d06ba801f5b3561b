"""Cases: in which order what is published is routed. On services of their own, with more than one ingest stream and logs
that are long enough for a deep backlog."""

import json
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from service import Phone, Service, parse_id
from state import fill
from stores import Cluster
from suite import case

SETTINGS = {"ingest_streams": "notifications_stream=2,bulk,urgent=8", "log_max_entries": "20000"}
LOW = 10_000
BULK, BULK_USERS = 20_000, 100


@asynccontextmanager
async def routing_service(service: Service) -> AsyncIterator[Service]:
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        store = type(service.store)(directory)
        own = None
        try:
            store.start()
            own = Service(service.nodes[0].binary, directory, store, len(service.nodes), SETTINGS, seed=1)
            await own.start()
            yield own
        finally:
            if own is not None:
                await own.stop()
            store.stop()


@case
async def a_critical_one_overtakes_ten_thousand(service: Service) -> None:
    """A device with credit 64 and a backlog of 10,000 low ones has a critical one within two frames, shows it once, and
    gets it again in its order, under the same nid."""
    async with routing_service(service) as own:
        low = await fill(own, "urgent", LOW, priority="low")
        await own.routed("urgent", LOW)
        phone = Phone(own, "urgent", "phone", credit=64)
        await phone.connect()
        await phone.has(64)
        before = phone.frames
        (critical,) = await own.publish({"user_id": "urgent", "message": "!", "priority": "critical"})
        await phone.until(lambda: phone.early, "the critical one comes early")
        assert [item["nid"] for item in phone.early] == [critical], phone.early
        assert phone.frames - before <= 2, f"it came with frame {phone.frames - before}"
        assert len(phone.items) == 64, "nothing else went beyond the credit"
        phone.socket.send({"t": "ack", "nids": [critical]})
        while len(phone.items) <= LOW:
            had = len(phone.items)
            phone.ack()
            await phone.until(lambda had=had: len(phone.items) >= min(had + 64, LOW + 1), "the backlog goes on")
        assert [item["nid"] for item in phone.items] == low + [critical], "in their order, each once"
        assert len(phone.early) == 1, "it was early once"
        await phone.close()


@case
async def priority_in_the_read_ahead(service: Service) -> None:
    """What producers append faster than it is routed is routed by priority, within the read-ahead: critical ones that lie
    behind 3,000 low ones are in the log before nearly all of those. Of one priority, the order is the stream's."""
    async with routing_service(service) as own:
        redis = own.producer()

        def produce() -> list[str]:
            pipe = redis.pipeline(transaction=not isinstance(own.store, Cluster))
            for n in range(3_000):
                pipe.xadd("notifications_stream", {"user_id": "ahead", "message": f"{n}", "priority": "low"})
            for n in range(20):
                pipe.xadd("notifications_stream", {"user_id": "ahead", "message": f"{n}", "priority": "critical"})
            return pipe.execute()

        ids = await own.ask(produce)
        log = [item["nid"] for item in await own.routed("ahead", 3_020)]
        low, critical = ids[:3_000], ids[3_000:]
        assert [nid for nid in log if nid in set(low)] == low and [nid for nid in log if nid in set(critical)] == critical
        if not isinstance(own.store, Cluster):  # there they do not come at once, and most are routed by then
            assert max(log.index(nid) for nid in critical) < 1_500, [log.index(nid) for nid in critical]


@case
async def streams_with_weights(service: Service) -> None:
    """20,000 in a bulk stream do not hold up one in the urgent stream, which comes while they are routed; and all of them
    come. Each can be looked up by its nid."""
    async with routing_service(service) as own:
        redis = own.producer()
        # So that every router is at work.
        for stream in ("bulk", "urgent"):
            await own.ask(redis.xadd, stream, {"user_id": f"first-{stream}", "message": "x"})
            await own.routed(f"first-{stream}", 1)
        phone = Phone(own, "hurry", "phone")
        await phone.connect()

        def produce() -> list[str]:
            cluster = isinstance(own.store, Cluster)
            pipe = redis.pipeline(transaction=not cluster)
            for n in range(BULK):
                pipe.xadd("bulk", {"user_id": f"bulk-{n % BULK_USERS}", "message": f"{n}"})
            if not cluster:
                pipe.xadd("urgent", {"user_id": "hurry", "message": "!"})
                return pipe.execute()
            return pipe.execute() + [redis.xadd("urgent", {"user_id": "hurry", "message": "!"})]

        *bulk, urgent = await own.ask(produce)
        assert await phone.has(1) == [f"{urgent}@urgent"]
        expected = defaultdict(list)
        for n, id in enumerate(bulk):
            expected[n % BULK_USERS].append(f"{id}@bulk")
        later = 0
        for user in range(BULK_USERS):
            log = await own.routed(f"bulk-{user}", BULK // BULK_USERS)
            assert [item["nid"] for item in log] == expected[user], f"bulk-{user}"
            later += sum(parse_id(item["id"]) > parse_id(phone.items[0]["id"]) for item in log)
        if not isinstance(own.store, Cluster):
            assert later > BULK // 4, f"{later} of the bulk were routed after it"
        headers = {"x-api-key": own.nodes[0].settings["api_keys"].split(":")[1]}
        for nid in (f"{urgent}@urgent", f"{bulk[-1]}@bulk"):
            status, answer, _ = await own.request("GET", f"/v1/notifications/{nid}", headers)
            assert status == 200 and json.loads(answer)["nid"] == nid, (status, answer)
        await phone.close()
