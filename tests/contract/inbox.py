"""Cases: a user's inbox over plain HTTP, for back-ends and for the user's own token."""

import json

from clients import token
from server import API_KEY
from service import Phone, Service
from state import fill
from suite import case

KEY = {"x-api-key": API_KEY}


def own(user: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(user)}"}


async def call(service: Service, method: str, target: str, who: dict, body: dict | None = None, node: int = 0) -> tuple[int, dict]:
    data = b"" if body is None else json.dumps(body).encode()
    status, answer, _ = await service.request(method, target, who, data, port=service.nodes[node].port)
    return status, json.loads(answer)


@case
async def inbox_over_http(service: Service) -> None:
    """A back-end and the user see the same pages and counts as a socket does; what they mark comes to the devices, with
    the counts after it; wrong requests are refused by name and change nothing."""
    nids = await fill(service, "box", 7, category="news")
    await service.routed("box", 7)
    phone = Phone(service, "box", "phone")
    await phone.connect()
    await phone.has(7)

    status, first = await call(service, "GET", "/v1/users/box/inbox?limit=5", KEY)
    assert status == 200 and [item["nid"] for item in first["items"]] == nids[:1:-1], first
    assert first["counts"]["unread"] == 7 and first["counts"]["by_category"] == {"news": 7}, first["counts"]
    status, rest = await call(service, "GET", f"/v1/me/inbox?limit=5&before={first['before']}", own("box"), node=-1)
    assert [item["nid"] for item in rest["items"]] == nids[1::-1] and "before" not in rest, rest

    mark = {"op": "read", "ids": nids[:2], "mid": "once"}
    status, marked = await call(service, "POST", "/v1/users/box/mark", KEY, mark)
    assert status == 200 and marked["counts"]["unread"] == 5, marked
    await phone.until(lambda: phone.states, "the device is told")
    assert phone.states[0]["op"] == "read" and phone.states[0]["counts"]["unread"] == 5, phone.states
    await phone.mark("unread", nids[0])
    status, again = await call(service, "POST", "/v1/me/mark", own("box"), mark)
    assert status == 200 and again["counts"]["unread"] == 6, "a repeat within 24 hours does nothing"
    upto = phone.items[3]["id"]
    status, marked = await call(service, "POST", "/v1/me/mark", own("box"), {"op": "archive", "upto": upto}, node=-1)
    assert status == 200 and marked["counts"]["unread"] == 3, marked
    status, unread = await call(service, "GET", "/v1/me/unread", own("box"))
    assert status == 200 and unread["counts"]["unread"] == 3, unread
    status, page = await call(service, "GET", "/v1/users/box/inbox?filter=archived", KEY)
    assert [item["nid"] for item in page["items"]] == nids[3::-1], page

    # What is not in the user's log is not theirs to mark.
    assert (await call(service, "POST", "/v1/users/other/mark", KEY, {"op": "read", "ids": nids}))[1]["counts"]["unread"] == 0
    for body, field in (({"op": "expire", "ids": nids}, "op"), ({"ids": nids}, "op"), ({"op": "read"}, "ids"),
                        ({"op": "read", "ids": nids, "upto": upto}, "ids"), ({"op": "read", "ids": []}, "ids"),
                        ({"op": "read", "ids": ["x"] * 1001}, "ids"), ({"op": "read", "upto": "now"}, "upto"),
                        ({"op": "read", "ids": nids, "user": "x"}, "user")):  # fmt: skip
        status, problem = await call(service, "POST", "/v1/users/box/mark", KEY, body)
        assert status == 400 and problem["field"] == field, problem
    for query in ("limit=0", "limit=201", "before=x", "filter=spam"):
        assert (await call(service, "GET", f"/v1/users/box/inbox?{query}", KEY))[0] == 400, query
    assert (await call(service, "GET", "/v1/me/unread", {}))[0] == 401
    assert (await call(service, "GET", "/v1/users/box/unread", own("box")))[0] == 401
    status, unread = await call(service, "GET", "/v1/users/box/unread", KEY)
    assert unread["counts"]["unread"] == 3, "nothing of that changed anything"
    await phone.close()
