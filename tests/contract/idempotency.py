"""Cases: Idempotency-Key."""

import asyncio
import json

from server import API_KEY
from service import Service
from suite import case


# (status, answer) of a publish under a key. A client tries again for as long as it gets no answer, or a 503.
async def publish(service: Service, key: str, body: dict | list, port: int = 0) -> tuple[int, dict]:
    headers = {"x-api-key": API_KEY, "Content-Type": "application/json", "Idempotency-Key": key}
    while True:
        try:
            target = "/v1/notifications"
            status, answer, _ = await service.request("POST", target, headers, json.dumps(body).encode(), port)
            if status != 503:
                return status, json.loads(answer)
        except (OSError, EOFError, asyncio.IncompleteReadError):
            port = 0  # that node is down
        await asyncio.sleep(0.05)


@case
async def idempotency(service: Service) -> None:
    """100 publishes at once under one key, at any node, are one notification and get one answer; so is one that comes again
    after a kill -9. Another body under the key is refused."""
    body = [{"user_id": "idem", "message": "once"}, {"user_id": "idem", "message": "twice"}]
    ports = [node.port for node in service.nodes]
    answers = await asyncio.gather(*(publish(service, "order-7", body, ports[n % len(ports)]) for n in range(100)))
    assert all(status == 202 and answer == answers[0][1] for status, answer in answers), answers[:3]
    assert len(answers[0][1]["items"]) == 2

    status, other = await publish(service, "order-7", {"user_id": "idem", "message": "another"})
    assert status == 409 and other["code"] == "idempotency_conflict", other
    for wrong in ("with space", "k" * 256):
        status, answer = await publish(service, wrong, body)
        assert status == 400 and answer["code"] == "bad_idempotency_key", (wrong, answer)

    # A client that tries again until it is answered, through crashes.
    for which in range(len(service.nodes)):
        key, one = f"crash-{which}", {"user_id": "idem", "message": f"crash {which}"}
        asked = [asyncio.create_task(publish(service, key, one)) for _ in range(20)]
        await asyncio.sleep(0.002)
        await service.crash(which)
        nids = {json.dumps(answer["items"]) for status, answer in await asyncio.gather(*asked)}
        for _ in range(5):
            status, answer = await publish(service, key, one)
            assert status == 202, answer
            nids.add(json.dumps(answer["items"]))
        assert len(nids) == 1, nids
    expected = ["once", "twice", *(f"crash {which}" for which in range(len(service.nodes)))]

    async def bodies() -> list[str]:
        return [item["body"] for item in await service.log("idem")]

    for _ in range(100):
        if len(await bodies()) >= len(expected):
            break
        await asyncio.sleep(0.1)
    assert sorted(await bodies()) == sorted(expected), await bodies()
