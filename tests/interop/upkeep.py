"""What the server does by itself for consumers and streams: redelivery with backoff, the limit of deliveries, dead
letters, retention. Workers and producers here know nothing of it: plain XREADGROUP, XACK and XADD.

    upkeep.py TOCSIN
"""

import sys
import threading
import time
import urllib.request

from port import check, inbox, wait_for
from resp import Client
from servers import Tocsin

STREAM = "notifications_stream"
SETTINGS = {
    "redelivery": "jobs/email after=1s deliveries=3 backoff=2 longest=10s, notifications_stream/* after=1s deliveries=2",
    "retention": "witness entries=100, notifications_stream entries=100 cap=1MiB",
}


def metric(tocsin: Tocsin, name: str) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{tocsin.http_port}/metrics", timeout=60) as response:
        for line in response.read().decode().splitlines():
            if line.startswith(name + " "):
                return int(line.split()[1])
    raise AssertionError(f"there is no metric {name}")


def read(client: Client, group: str, consumer: str, *options: str, stream: str = "jobs") -> list[bytes]:
    reply = client.ask("XREADGROUP", "GROUP", group, consumer, *options, "STREAMS", stream, ">")
    return [entry[0] for entry in reply[0][1]] if isinstance(reply, list) else []


# A consumer dies with what it has read. Another one, which has been waiting all the time, gets it.
def a_consumer_that_dies(tocsin: Tocsin) -> None:
    client = Client(tocsin.port)
    client.ask("XGROUP", "CREATE", "jobs", "email", "$", "MKSTREAM")
    ids = [client.ask("XADD", "jobs", "*", "n", n) for n in range(3)]
    dying = Client(tocsin.port)
    check(read(dying, "email", "dying") == ids)
    dying.close()
    waiting = Client(tocsin.port)
    got: list[bytes] = []
    while len(got) < 3:
        got += read(waiting, "email", "waiting", "COUNT", "2", "BLOCK", "60000")
    check(got == ids, got)
    check(client.ask("XACK", "jobs", "email", *[id_.decode() for id_ in ids]) == 3)
    check(client.ask("XPENDING", "jobs", "email")[0] == 0)
    check(client.ask("XLEN", "jobs:dead") == 0)


# One entry fails with whoever takes it, each time. Its delays grow; after its last delivery it is a dead letter, with
# the number of attempts and the reason. Entries beside it are not held up.
def a_consumer_that_always_fails(tocsin: Tocsin) -> None:
    client = Client(tocsin.port)
    poison = client.ask("XADD", "jobs", "*", "kind", "poison")
    deliveries: list[float] = []
    good = 0
    ended = time.monotonic() + 60
    while client.ask("XLEN", "jobs:dead") == 0:
        check(time.monotonic() < ended, "it has not become a dead letter")
        fresh = client.ask("XADD", "jobs", "*", "kind", "good")
        for id_ in read(client, "email", "failing", "BLOCK", "100"):
            if id_ == poison:
                deliveries.append(time.monotonic())
            else:
                good += client.ask("XACK", "jobs", "email", id_)
                check(id_ == fresh)
        time.sleep(0.02)
    check(len(deliveries) == 3, deliveries)
    first, second = deliveries[1] - deliveries[0], deliveries[2] - deliveries[1]
    check(second > first * 1.3, f"no backoff: {first:.2f} s, then {second:.2f} s")
    check(good > 20, good)
    ((_, fields),) = client.ask("XRANGE", "jobs:dead", "-", "+")
    letter = dict(zip(fields[::2], fields[1::2], strict=True))
    check(letter[b"kind"] == b"poison" and letter[b"tocsin_attempts"] == b"3", letter)
    check(letter[b"tocsin_group"] == b"email" and letter[b"tocsin_id"] == poison, letter)
    check(letter[b"tocsin_reason"].startswith(b"not acknowledged after 3 deliveries, the last to the consumer `failing`"))
    check(client.ask("XPENDING", "jobs", "email")[0] == 0)


# A group of the ingest stream that nobody reads any more: entries stay for it beyond the limit, until the cap; then the
# oldest go, and the loss is counted and logged. Users get every notification; another group works on.
def an_abandoned_group(tocsin: Tocsin) -> None:
    client = Client(tocsin.port)
    client.ask("XGROUP", "CREATE", STREAM, "abandoned", "$", "MKSTREAM")
    read(client, "abandoned", "gone", stream=STREAM)
    for n in range(200):
        client.ask("XADD", STREAM, "*", "user_id", "ann", "message", f"m{n}")
    wait_for_a_look(client)
    check(client.ask("XLEN", STREAM) == 200, "what the group has not read was trimmed")
    check(metric(tocsin, "tocsin_trimmed_needed_total") == 0)
    for n in range(200, 400):
        client.ask("XADD", STREAM, "*", "user_id", "ann", "message", f"m{n}", "filler", "x" * 10_000)
    wait_for("the cap", lambda: metric(tocsin, "tocsin_trimmed_needed_total") > 0)
    check(client.ask("MEMORY", "USAGE", STREAM) < 1_100_000)
    check("trimmed_needed_entries" in tocsin.log() and "abandoned" in tocsin.log(), tocsin.log())
    check(inbox(tocsin, "ann") == [f"m{n}" for n in range(400)])


# Nobody needs what is in this stream: when it has been trimmed, the service has looked at all.
def wait_for_a_look(client: Client) -> None:
    for _ in range(300):
        client.ask("XADD", "witness", "*", "a", "b")
    length = client.ask("XLEN", "witness")
    wait_for("a look", lambda: client.ask("XLEN", "witness") < length)


# A producer trims what it adds, as teams do that have no other trim: users still get all of it.
def a_producer_with_maxlen(tocsin: Tocsin) -> None:
    def produce(number: int) -> None:
        client = Client(tocsin.port)
        for n in range(250):
            client.ask("XADD", STREAM, "MAXLEN", "10", "*", "user_id", f"user{number}", "message", f"m{n}")

    threads = [threading.Thread(target=produce, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client = Client(tocsin.port)
    check(client.ask("XLEN", STREAM) == 10)
    for number in range(4):
        check(inbox(tocsin, f"user{number}") == [f"m{n}" for n in range(250)])


def main() -> int:
    with Tocsin(sys.argv[1], SETTINGS) as tocsin:
        for one in (a_consumer_that_dies, a_consumer_that_always_fails, an_abandoned_group, a_producer_with_maxlen):
            began = time.monotonic()
            one(tocsin)
            print(f"ok    {one.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
