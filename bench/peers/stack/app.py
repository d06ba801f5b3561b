"""The replaced stack, written as a competent team writes it: FastAPI + Redis Streams + one WebSocket per device.

POST /notifications appends to the stream `notifications_stream` (XADD); a worker task reads it as a member of the group
`notifier_group` (XREADGROUP), pushes each entry to its user's open WebSockets and acknowledges the batch (XACK). Entries
that a crashed worker left pending are claimed (XAUTOCLAIM). uvloop, httptools, hiredis and orjson do what they can.
"""

import asyncio
import contextlib
import hmac
import os
from collections import defaultdict
from typing import Annotated, Any, Literal

import jwt
import orjson
import redis.asyncio as aioredis
from fastapi import Depends, FastAPI, Header, HTTPException, Response, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, Field

STREAM = "notifications_stream"
GROUP = "notifier_group"
CONSUMER = "worker-1"
MAX_ENTRIES = 1_000_000
BATCH = 100
CLAIM_IDLE_MS = 60_000

REDIS_URL = os.environ["STACK_REDIS_URL"]
JWT_SECRET = os.environ["STACK_JWT_SECRET"]
API_KEY = os.environ["STACK_API_KEY"]

store = aioredis.Redis.from_pool(aioredis.BlockingConnectionPool.from_url(REDIS_URL, max_connections=64, timeout=5))
sockets: dict[str, set[WebSocket]] = defaultdict(set)


class Notification(BaseModel):
    user_id: str = Field(min_length=1, max_length=256)
    message: str = Field(min_length=1, max_length=4096)
    lang: str = "en"
    priority: Literal["low", "normal", "high", "critical"] = "normal"
    data: dict[str, Any] = {}


def check_api_key(x_api_key: Annotated[str, Header()]) -> None:
    if not hmac.compare_digest(x_api_key, API_KEY):
        raise HTTPException(status_code=401, detail="unknown API key")


async def push(fields: dict[bytes, bytes], entry_id: bytes) -> None:
    devices = sockets.get(fields[b"user_id"].decode())
    if not devices:
        return
    frame = orjson.dumps(
        {
            "id": entry_id.decode(),
            "message": fields[b"message"].decode(),
            "lang": fields[b"lang"].decode(),
            "priority": fields[b"priority"].decode(),
            "data": orjson.Fragment(fields[b"data"]),
        }
    ).decode()
    for device in list(devices):
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):  # it has just gone; its entry stays in the stream
            await device.send_text(frame)


async def deliver(entries: list[tuple[bytes, dict[bytes, bytes]]]) -> None:
    for entry_id, fields in entries:
        await push(fields, entry_id)
    if entries:
        await store.xack(STREAM, GROUP, *(entry_id for entry_id, _ in entries))


async def work() -> None:
    with contextlib.suppress(aioredis.ResponseError):  # BUSYGROUP: it is there already
        await store.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    while True:
        answer = await store.xreadgroup(GROUP, CONSUMER, {STREAM: ">"}, count=BATCH, block=1_000)
        # A list of [stream, entries] under RESP2, a map stream -> [entries] under RESP3.
        streams = answer.items() if isinstance(answer, dict) else answer or []
        for _, entries in streams:
            await deliver(entries[0] if isinstance(answer, dict) else entries)


async def claim_abandoned() -> None:
    while True:
        await asyncio.sleep(CLAIM_IDLE_MS / 1_000)
        _, entries, _ = await store.xautoclaim(STREAM, GROUP, CONSUMER, min_idle_time=CLAIM_IDLE_MS, count=BATCH)
        await deliver(entries)


@contextlib.asynccontextmanager
async def lifespan(_: FastAPI):
    tasks = [asyncio.create_task(work()), asyncio.create_task(claim_abandoned())]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await store.aclose()


app = FastAPI(lifespan=lifespan)


@app.get("/healthz")
async def healthz() -> dict[str, bool]:
    return {"ok": bool(await store.ping())}


@app.post("/notifications", status_code=202, dependencies=[Depends(check_api_key)])
async def publish(notification: Notification) -> Response:
    entry_id = await store.xadd(
        STREAM,
        {
            "user_id": notification.user_id,
            "message": notification.message,
            "lang": notification.lang,
            "priority": notification.priority,
            "data": orjson.dumps(notification.data),
        },
        maxlen=MAX_ENTRIES,
        approximate=True,
    )
    return Response(orjson.dumps({"id": entry_id.decode()}), status_code=202, media_type="application/json")


@app.websocket("/ws")
async def session(websocket: WebSocket, token: str) -> None:
    try:
        user = jwt.decode(token, JWT_SECRET, algorithms=["HS256"], options={"require": ["exp", "sub"]})["sub"]
    except jwt.InvalidTokenError:
        await websocket.close(code=4001)
        return
    await websocket.accept()
    sockets[user].add(websocket)
    try:
        await websocket.send_text(orjson.dumps({"type": "welcome", "user": user}).decode())
        while True:
            await websocket.receive_text()
    except WebSocketDisconnect:
        pass
    finally:
        sockets[user].discard(websocket)
        if not sockets[user]:
            del sockets[user]
