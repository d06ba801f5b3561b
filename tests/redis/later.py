"""Later: what is published for later while nodes and servers come and go, and whether each of it came once, at its time."""

import asyncio
import json
import random
import time

import nodes  # noqa: F401: it says where the next ones are
from clients import Http, ProtocolError, token  # noqa: E402
from server import API_KEY, WAIT_S  # noqa: E402
from workload import GONE  # noqa: E402

USERS = 40
LONGEST_S = 15.0
CLOCKS_MS = 50  # by which the clocks of nodes on one machine may be said to differ


class Later:
    def __init__(self, nodes, chance: random.Random):
        self.nodes, self.chance = nodes, chance
        self.due: dict[str, int] = {}  # of what was accepted, by nid
        self.body: dict[str, str] = {}  # nid -> words
        self.unknown: set[str] = set()  # words of what was not answered
        self.cancelled: set[str] = set()
        self.perhaps: set[str] = set()  # a cancel that was not answered
        self.publishing = True
        self.number = 0

    async def run(self) -> None:
        http = None
        while self.publishing:
            try:
                http = http or await Http.connect(self.nodes.port)
                await (self.cancel(http) if self.due and self.chance.random() < 0.1 else self.publish(http))
            except (*GONE, ProtocolError):
                if http is not None:
                    http.close()
                http = None
            await asyncio.sleep(self.chance.uniform(0, 0.04))
        if http is not None:
            http.close()

    async def publish(self, http: Http) -> None:
        self.number += 1
        words = f"later {self.number}"
        due = int((time.time() + self.chance.uniform(0.2, LONGEST_S)) * 1000)
        body = {"user_id": f"later{self.chance.randrange(USERS)}", "message": words, "deliver_at": due}
        headers = {"x-api-key": API_KEY, "Content-Type": "application/json"}
        self.unknown.add(words)
        status, answer = await http.request("POST", "/v1/notifications", headers, json.dumps(body).encode())
        if status != 202:
            return
        (one,) = json.loads(answer)["items"]
        self.due[one["nid"]] = due
        self.body[one["nid"]] = words
        self.unknown.discard(words)

    async def cancel(self, http: Http) -> None:
        nid = self.chance.choice(list(self.due)[-200:])
        if nid in self.cancelled or nid in self.perhaps:
            return
        self.perhaps.add(nid)
        status, _ = await http.request("DELETE", f"/v1/schedules/{nid}", {"x-api-key": API_KEY})
        if status in (200, 404):
            self.perhaps.discard(nid)
        if status == 200:
            self.cancelled.add(nid)

    async def _log(self, user: str) -> list[dict]:
        http = await Http.connect(self.nodes.port)
        cur, items = "", []
        try:
            while True:
                target = f"/v1/pull?{f'cur={cur}' if cur else 'since=all'}"
                status, answer = await http.request("GET", target, {"Authorization": f"Bearer {token(user)}"})
                if status != 200:
                    raise ProtocolError(f"a pull was answered {status}")
                pulled = json.loads(answer)
                cur = pulled["cur"]
                found = [item for frame in pulled["frames"] for item in frame.get("items", ())]
                items += found
                if not found:
                    return items
        finally:
            http.close()

    # Once nobody publishes any more and everything is due. What is wrong, in words.
    async def findings(self) -> list[str]:
        end = time.monotonic() + LONGEST_S + WAIT_S
        while True:
            logs = [item for user in range(USERS) for item in await self._log(f"later{user}")]
            came: dict[str, list[int]] = {}
            for item in logs:
                came.setdefault(item["nid"], []).append(int(item["id"].partition("-")[0]))
            missing = [nid for nid in self.due if nid not in came and nid not in self.cancelled | self.perhaps]
            if not missing or time.monotonic() > end:
                break
            await asyncio.sleep(0.5)
        wrong = [f"{nid} never came" for nid in missing]
        wrong += [f"{nid} came {len(times)} times" for nid, times in came.items() if len(times) > 1]
        wrong += [f"{nid} came, though it was cancelled" for nid in self.cancelled if nid in came]
        wrong += [f"{nid} came {self.due[nid] - times[0]} ms early" for nid, times in came.items()
                  if nid in self.due and times[0] < self.due[nid] - CLOCKS_MS]  # fmt: skip
        wrong += [f"{item['nid']} was never published" for item in logs
                  if item["nid"] not in self.due and item["body"] not in self.unknown]  # fmt: skip
        late = sorted(times[0] - self.due[nid] for nid, times in came.items() if nid in self.due)
        print(f"for later: {len(self.due)} accepted, {len(self.cancelled)} cancelled, {len(came)} came; half of them within "
              f"{late[len(late) // 2] if late else 0} ms, the last {late[-1] if late else 0} ms late")  # fmt: skip
        return wrong
