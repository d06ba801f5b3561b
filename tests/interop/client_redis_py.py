"""redis-py: publish, a consumer group, a blocking consumer, a pipeline. The first three calls are those of the design,
word for word. Prints what it published."""

import os
import threading

import redis as redis_py

PORT = int(os.environ["TOCSIN_REDIS_PORT"])
PASSWORD = os.environ.get("TOCSIN_REDIS_PASSWORD")
PROTOCOL = int(os.environ.get("TOCSIN_REDIS_PROTOCOL", "2"))
USER = os.environ["TOCSIN_TEST_USER"]


def connect() -> redis_py.Redis:
    return redis_py.Redis(port=PORT, password=PASSWORD, protocol=PROTOCOL, decode_responses=True)


def main() -> None:
    redis = connect()
    assert redis.ping()
    redis.xgroup_create("notifications_stream", "notifier_group", id="$", mkstream=True)

    redis.xadd("notifications_stream", {"user_id": USER, "message": "You've got a new alert", "lang": "en", "priority": "high"})
    read = redis.xreadgroup(groupname="notifier_group", consumername="worker-1", streams={"notifications_stream": ">"})
    ((stream, entries),) = read.items() if isinstance(read, dict) else read
    entries = entries[0] if PROTOCOL == 3 and entries and isinstance(entries[0], list) else entries
    ((message_id, fields),) = entries
    assert stream == "notifications_stream" and fields["message"] == "You've got a new alert", read
    assert redis.xpending("notifications_stream", "notifier_group")["pending"] == 1
    assert redis.xack("notifications_stream", "notifier_group", message_id) == 1
    assert redis.xpending("notifications_stream", "notifier_group")["pending"] == 0

    # A consumer that waits on a connection of its own.
    found = []
    consumer = threading.Thread(
        target=lambda: found.append(connect().xreadgroup("notifier_group", "worker-2", {"notifications_stream": ">"}, block=0))
    )
    consumer.start()
    while redis.info("clients")["blocked_clients"] != 1:
        pass
    later = redis.xadd("notifications_stream", {"user_id": USER, "message": "for the one who waits"})
    consumer.join(60)
    assert later in repr(found) and "for the one who waits" in repr(found), found
    assert not redis.xreadgroup("notifier_group", "worker-2", {"notifications_stream": ">"}, block=20)

    pipeline = redis.pipeline()
    for i in range(1000):
        pipeline.xadd("work", {"i": i})
    ids = pipeline.execute()
    assert len(set(ids)) == 1000 and redis.xlen("work") == 1000
    assert [entry[0] for entry in redis.xrange("work", count=1000)] == ids
    assert redis.xinfo_stream("work")["length"] == 1000
    assert redis.xautoclaim("notifications_stream", "notifier_group", "worker-1", 0)
    try:
        redis.xgroup_create("notifications_stream", "notifier_group")
        raise AssertionError("the group was made twice")
    except redis_py.ResponseError as error:
        assert str(error).startswith("BUSYGROUP"), error
    print(message_id, later)


main()
