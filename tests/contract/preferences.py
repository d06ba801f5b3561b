"""Cases: what a user has said about deliveries."""

import json
from urllib.parse import quote

from clients import token
from server import API_KEY
from service import Service
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
