"""Random sessions of several clients, in RESP2 and RESP3, some of them blocked, on a redis-server and on tocsin: every
reply is equal.

    sessions_vs_redis.py TOCSIN [--seed N] [--steps N] [--table]

Without a seed: many of them, at least 20,000 commands, and then every command and option must have had at least 200
answers that say something (coverage.py; --table prints them). The streams are compared whole (XINFO STREAM FULL)
every 100 commands.

Ids are explicit; times are not compared. What is known to differ where the redis-server is a 7.0 (Debian's), because
tocsin follows 7.2:
  - lag and entries-read once entries were trimmed or deleted: 7.2.6 corrected both (compared in calm sessions)
  - 7.2 makes a consumer that gets nothing at once: 7.0 is told to, before each XREADGROUP,
    XCLAIM and XAUTOCLAIM
  - 7.2 refuses an XSETID below the last deletion: 7.0 is not asked
  - XINFO CONSUMERS has `inactive`, the full report `active-time`: 7.2 only, left out
  - who is blocked on several streams of a group gets what all of them have, not the ready one only: one is enough here
  - who is blocked is not answered with an empty list when the new entry has gone at once
  - who is blocked on a key or a group that goes is told so in other words
  - what 7.0 does not know cannot be compared (coverage.py lists it), nor what each server says of itself: ids of
    clients, HELLO's version, INFO, the memory of a key; there the shape is compared
"""

import argparse
import random
import select
import sys
import time
from collections import Counter

import coverage
from resp import Client, Error, Null, NullArray, show
from servers import Redis, Tocsin
from sessions_other import Others

# The ids of `far` are ahead of the clock, so `*` gives the same ids everywhere.
KEYS = ["alpha", "beta", "gamma", "far"]
FAR_MS = 4_000_000_000_000
GROUPS = ["workers", "audit"]
CONSUMERS = ["a", "b", "c"]
SEEDS, STEPS = 20, 4000
AT_LEAST = 20_000  # commands
FULL_EVERY = 100  # commands
OTHERS_EVERY = 320  # steps
HOUR_MS = 3_600_000


class Different(Exception):
    pass


# Numbers that are times of the wall clock have 13 digits here; nothing else has.
def without_times(reply: object) -> object:
    if isinstance(reply, list):
        return type(reply)([without_times(element) for element in reply])
    if isinstance(reply, int) and 10**12 < reply < 10**13:
        return "time"
    return reply


def without(reply: object, names: tuple[bytes, ...]) -> object:
    if not isinstance(reply, list):
        return reply
    kept: list[object] = []
    at = 0
    while at < len(reply):
        if at + 1 < len(reply) and reply[at] in names:
            at += 2
            continue
        kept.append(without(reply[at], names))
        at += 1
    return type(reply)(kept)


def is_empty(reply: object) -> bool:
    return isinstance(reply, (Error, Null, NullArray)) or reply in ([], 0, b"")


class Pair:
    """One client, on both servers."""

    def __init__(self, redis: Redis, tocsin: Tocsin, version: int):
        self.version = version
        self.theirs, self.ours = Client(redis.port, version), Client(tocsin.port, version)
        self.their_id, self.our_id = self.theirs.ask("CLIENT", "ID"), self.ours.ask("CLIENT", "ID")
        self.blocked: list[str] | None = None

    def close(self) -> None:
        self.theirs.close()
        self.ours.close()


class Session:
    def __init__(self, redis: Redis, tocsin: Tocsin, seed: int, answers: Counter):
        self.random = random.Random(seed)
        self.calm = seed % 3 == 0  # nothing is trimmed or deleted
        self.answers = answers
        self.commands = self.commands_at_full = 0
        self.in_full = False
        self.trace: list[str] = []
        self.servers = redis, tocsin
        self.pairs = [Pair(redis, tocsin, 2 + (seed + i) % 2) for i in range(4)]
        self.watcher = Pair(redis, tocsin, 2)
        self.lookers = [self.watcher, Pair(redis, tocsin, 3)]
        self.others = Others(self)
        self.ids: dict[str, list[tuple[int, int]]] = {key: [] for key in KEYS}
        self.node_entries = [2, 5, 0, 3][seed % 4]
        for words in ("FLUSHALL", f"CONFIG SET stream-node-max-entries {self.node_entries}"):
            self.both(self.watcher, words.split())
        self.others.flush(self.watcher, 12)
        # An ingest stream is always there.
        self.watcher.theirs.ask("XGROUP", "CREATE", "notifications_stream", "tocsin", "$", "MKSTREAM")

    # Words.

    def key(self) -> str:
        return self.random.choice(KEYS)

    def group(self) -> str:
        return self.random.choice(GROUPS)

    def consumer(self) -> str:
        return self.random.choice(CONSUMERS)

    def last(self, key: str) -> tuple[int, int]:
        return self.ids[key][-1] if self.ids[key] else (FAR_MS if key == "far" else 0, 0)

    # Ids that somebody has pending, or else some.
    def pending_ids(self, key: str, group: str, count: int) -> list[str]:
        listed = self.watcher.theirs.ask("XPENDING", key, group, "-", "+", "20")
        ids = [entry[0].decode() for entry in listed] if isinstance(listed, list) else []
        if ids and self.random.random() < 0.6:
            return self.random.choices(ids, k=count)
        return [self.some_id(key) for _ in range(count)]

    def some_id(self, key: str) -> str:
        known = self.ids[key][-60:]
        if known and self.random.random() < 0.85:
            return "%d-%d" % self.random.choice(known)
        return f"{max(self.last(key)[0] - self.random.randrange(40), 0)}-{self.random.randrange(3)}"

    def value(self) -> str:
        return self.random.choice(["", "x" * self.random.randrange(200), str(self.random.randrange(1000)), "y" * 70, "\x00\r\n\xff"])

    def maybe(self, *words: str, chance: float = 0.5) -> list[str]:
        return list(words) if self.random.random() < chance else []

    # Runs a command on both servers and compares. `tag`: what it shows, for the counts.
    def both(self, pair: Pair, command: list[str], *tags: str, masks: tuple[bytes, ...] = ()) -> object:
        self.trace.append(f"[{id(pair) % 1000} RESP{pair.version}] " + " ".join(repr(word)[1:-1][:40] for word in command))
        expected, got = pair.theirs.ask(*command), pair.ours.ask(*command)
        self.compare(expected, got, masks)
        self.count(expected, *tags)
        self.settle(expected)
        if self.commands - self.commands_at_full >= FULL_EVERY - len(KEYS):
            self.full()
        return expected

    def compare(self, expected: object, got: object, masks: tuple[bytes, ...] = ()) -> None:
        self.commands += 1
        expected, got = (show(without_times(without(reply, masks))) for reply in (expected, got))
        if expected != got:
            self.differ(f"redis:  {expected}\n  tocsin: {got}")

    def differ(self, words: str) -> None:
        raise Different(words)

    # For one that is to be closed, or killed.
    def extra_pair(self, version: int) -> Pair:
        return Pair(*self.servers, version)

    def count(self, reply: object, *tags: str) -> None:
        if not is_empty(reply):
            self.answers.update(tags)

    # Whoever was blocked and is answered by the one server is answered by the other, equally.
    def settle(self, _reply: object) -> None:
        blocked = [pair for pair in self.pairs if pair.blocked]
        if not blocked:
            return
        self.watcher.theirs.ask("PING")  # what the command before has set free was answered before this
        readable, _, _ = select.select([pair.theirs.socket for pair in blocked], [], [], 0)
        for pair in blocked:
            if pair.theirs.socket not in readable:
                continue
            command, pair.blocked = pair.blocked, None
            self.trace.append(f"[{id(pair) % 1000}] answered: " + " ".join(command))
            expected = pair.theirs.read()
            if b"[]" in show(expected).encode():
                # 7.0 wakes it for an entry that was trimmed at once; 7.2 and tocsin let it wait.
                self.watcher.ours.ask("CLIENT", "UNBLOCK", pair.our_id)
                self.compare("nothing", "nothing" if is_empty(pair.ours.read()) else "something")
                continue
            try:
                got = pair.ours.read()
            except TimeoutError:
                raise Different(f"redis: {show(expected)}\n  tocsin still waits") from None
            if isinstance(expected, Error) and expected.startswith(("NOGROUP", "UNBLOCKED")):
                if not isinstance(got, Error) or not got.startswith("NOGROUP"):
                    raise Different(f"redis: {show(expected)}\n  tocsin: {show(got)}")
                continue
            self.compare(expected, got)
            self.count(expected, "blocked " + command[0], *["XREAD $"] * ("$" in command))
        self.expect_blocked()

    def expect_blocked(self, more: int = 0) -> None:
        count = more + sum(1 for pair in self.pairs if pair.blocked)
        for client in (self.watcher.theirs, self.watcher.ours):
            for _ in range(10_000):
                text = bytes(client.ask("INFO", "clients")).decode()
                if f"blocked_clients:{count}\r\n" in text:
                    break
            else:
                raise Different(f"{count} clients should be blocked: {text}")

    # Commands.

    def add(self, pair: Pair, key: str | None = None) -> None:
        key = key or self.key()
        tags = ["XADD"]
        command = ["XADD", key]
        if self.random.random() < 0.1:
            command.append("NOMKSTREAM")
            tags.append("XADD NOMKSTREAM")
        if not self.calm and self.random.random() < 0.3:
            words, tag = self.trim_words(key)
            command += words
            tags.append("XADD " + tag)
        ms, n = self.last(key)
        form = self.random.randrange(10)
        if form < 4 and ms >= FAR_MS and self.ids[key]:
            new, text = (ms, n + 1), "*"
            tags.append("XADD *")
        elif form == 0:
            new, text = (ms, n + 1), f"{ms}-*"
            tags.append("XADD ms-*")
        elif form == 1:
            new = (ms + 1, 0)
            text = str(ms + 1)
            tags.append("XADD ms")
        elif form == 2:
            new = None
            text = f"{ms}-{n}"
        else:
            new = (ms + self.random.randrange(1, 4), self.random.randrange(2))
            text = "%d-%d" % new
            tags.append("XADD ms-n")
        fields = ["user_id", str(self.random.randrange(300)), "message", self.value()]
        if self.random.randrange(6) == 0:
            fields = [word for i in range(self.random.randrange(1, 4)) for word in (f"field{i}", self.value())]
        reply = self.both(pair, [*command, text, *fields], *tags)
        if new and isinstance(reply, bytes):
            got = tuple(int(part) for part in reply.split(b"-"))
            self.ids[key].append(got)

    def trim_words(self, key: str) -> tuple[list[str], str]:
        words = [self.random.choice(["MAXLEN", "MINID", "MINID"])]
        tag = words[0]
        how = self.random.choice(["", "=", "~", "~", "~", "~"])
        if how:
            words.append(how)
            tag += " " + how
        length = self.watcher.theirs.ask("XLEN", key)  # so that there is something to trim, mostly
        oldest = self.watcher.theirs.ask("XREVRANGE", key, "+", "-", "COUNT", self.random.randrange(1, 4 if how == "~" else max(int(length), 2)))
        some_id = oldest[-1][0].decode() if oldest else self.some_id(key)
        words.append(str(self.random.randrange(max(int(length), 2))) if words[0] == "MAXLEN" else some_id)
        if how == "~" and self.random.random() < 0.5:
            words += ["LIMIT", str(self.random.randrange(250))]
            tag += " LIMIT"
        return words, tag

    def trim(self, pair: Pair) -> None:
        key = self.key()
        for _ in range(self.random.randrange(12)):  # so that there are whole nodes
            self.add(pair, key)
        words, tag = self.trim_words(key)
        self.both(pair, ["XTRIM", key, *words], "XTRIM", "XTRIM " + tag)

    def delete(self, pair: Pair) -> None:
        key = self.key()
        self.both(pair, ["XDEL", key, *(self.some_id(key) for _ in range(self.random.randrange(1, 6)))], "XDEL")

    def range(self, pair: Pair) -> None:
        key = self.key()
        start = self.random.choice(["-", "-", self.some_id(key), "(" + self.some_id(key), str(self.last(key)[0] // 2)])
        end = self.random.choice(["+", self.some_id(key), "(" + self.some_id(key), str(self.last(key)[0])])
        count = self.maybe("COUNT", str(self.random.randrange(12)))
        name, ends = ("XRANGE", [start, end]) if self.random.random() < 0.5 else ("XREVRANGE", [end, start])
        marks = {mark for mark in "-+(" if mark in (start[0], end[0])}
        self.both(pair, [name, key, *ends, *count], name, *(f"{name} {mark}" for mark in sorted(marks)),
                  *([name + " COUNT"] if count else []))  # fmt: skip

    def read(self, pair: Pair) -> None:
        keys = self.random.sample(KEYS, self.random.randrange(1, 4))
        count = self.maybe("COUNT", str(self.random.randrange(1, 12)))
        block = self.maybe("BLOCK", "1", chance=0.2)
        ids = [self.some_id(key) if self.random.random() < 0.9 else "0" for key in keys]
        tags = ["XREAD", *(["XREAD COUNT"] if count else []), *(["XREAD BLOCK"] if block else [])]
        tags += ["XREAD several"] * (len(keys) > 1)
        self.both(pair, ["XREAD", *count, *block, "STREAMS", *keys, *ids], *tags)

    # 7.2 makes it at once.
    def make_consumer(self, pair: Pair, keys: list[str], group: str, consumer: str) -> None:
        for key in keys:
            if isinstance(pair.theirs.ask("XINFO", "CONSUMERS", key, group), Error):
                return
        for key in keys:
            pair.theirs.ask("XGROUP", "CREATECONSUMER", key, group, consumer)

    def read_group(self, pair: Pair) -> None:
        keys = self.random.sample(KEYS, self.random.choice([1, 1, 2]))
        group, consumer = self.group(), self.consumer()
        self.make_consumer(pair, keys, group, consumer)
        count = self.maybe("COUNT", str(self.random.randrange(1, 9)), chance=0.7)
        noack = self.maybe("NOACK", chance=0.2)
        block = self.maybe("BLOCK", "1", chance=0.2)
        tags = ["XREADGROUP", *("XREADGROUP " + words[0] for words in (count, noack, block) if words)]
        tags += ["XREADGROUP several"] * (len(keys) > 1)
        command = ["XREADGROUP", "GROUP", group, consumer, *count, *noack, *block, "STREAMS", *keys]
        self.both(pair, [*command, *(">" for _ in keys)], *tags)

    def history(self, pair: Pair) -> None:
        key, group, consumer = self.key(), self.group(), self.consumer()
        self.make_consumer(pair, [key], group, consumer)
        count = self.maybe("COUNT", str(self.random.randrange(1, 9)))
        start = self.random.choice(["0", self.some_id(key)])
        command = ["XREADGROUP", "GROUP", group, consumer, *count, "STREAMS", key, start]
        self.both(pair, command, "XREADGROUP history")

    def block(self, pair: Pair) -> None:
        if sum(1 for other in self.pairs if other.blocked) >= len(self.pairs) - 1:
            return
        keys = self.random.sample(KEYS, self.random.choice([1, 2]))
        count = self.maybe("COUNT", str(self.random.randrange(1, 4)), chance=0.3)
        if self.random.random() < 0.4:
            command = ["XREAD", *count, "BLOCK", "0", "STREAMS", *keys, *("$" for _ in keys)]
        else:
            keys = keys[:1]
            group, consumer = self.group(), self.consumer()
            self.make_consumer(pair, keys, group, consumer)
            noack = self.maybe("NOACK", chance=0.2)
            command = ["XREADGROUP", "GROUP", group, consumer, *count, *noack, "BLOCK", "0", "STREAMS", *keys, *(">" for _ in keys)]
        self.trace.append(f"[{id(pair) % 1000}] blocks: " + " ".join(command))
        for client in (pair.theirs, pair.ours):
            client.send(b"*%d\r\n" % len(command) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word.encode()) for word in command))
        self.watcher.theirs.ask("PING")
        pair.blocked = command
        # It was taken in the loop turn of the PING at the latest; asked once more, so that it was.
        self.watcher.theirs.ask("PING")
        self.settle(None)
        self.expect_blocked()

    def transaction(self, pair: Pair) -> None:
        key = self.key()
        watched = self.maybe(key, chance=0.4)
        if watched:
            self.both(pair, ["WATCH", key], "WATCH")
            if self.random.random() < 0.5:
                self.add(pair)
        self.both(pair, ["MULTI"])
        for _ in range(self.random.randrange(1, 4)):
            choice = self.random.randrange(4)
            if choice == 0:
                ms, n = self.last(key)
                self.both(pair, ["XADD", key, f"{ms}-*", "in", "multi"])
            else:
                self.both(pair, [["XLEN", key], ["XRANGE", key, "-", "+", "COUNT", "2"], ["PING"]][choice - 1])
        if self.random.random() < 0.2:
            self.both(pair, ["DISCARD"], "DISCARD")
            return
        reply = self.both(pair, ["EXEC"], "EXEC")
        for one in reply if isinstance(reply, list) else []:
            if isinstance(one, bytes) and one.count(b"-") == 1 and b"PONG" not in one:
                self.ids[key].append(tuple(int(part) for part in one.split(b"-")))

    def make_group(self, pair: Pair) -> None:
        key, name = self.key(), self.group()
        start = self.random.choice(["$", "0", self.some_id(key)])
        make = self.maybe("MKSTREAM")
        read = self.maybe("ENTRIESREAD", str(self.random.randrange(-1, 30))) if not self.calm else []
        tags = ["XGROUP CREATE", *("XGROUP CREATE " + words[0] for words in (make, read) if words)]
        self.both(pair, ["XGROUP", "CREATE", key, name, start, *make, *read], *tags)

    def move_group(self, pair: Pair) -> None:
        key = self.key()
        read = self.maybe("ENTRIESREAD", str(self.random.randrange(-1, 30))) if not self.calm else []
        start = self.random.choice(["$", "0", self.some_id(key)])
        tags = ["XGROUP SETID", *["XGROUP SETID ENTRIESREAD"] * bool(read)]
        self.both(pair, ["XGROUP", "SETID", key, self.group(), start, *read], *tags)

    def drop_group(self, pair: Pair) -> None:
        self.both(pair, ["XGROUP", "DESTROY", self.key(), self.group()], "XGROUP DESTROY")

    def consumers(self, pair: Pair) -> None:
        word = "CREATECONSUMER" if self.group_readers() else self.random.choice(["CREATECONSUMER", "DELCONSUMER"])
        self.both(pair, ["XGROUP", word, self.key(), self.group(), self.consumer()], "XGROUP " + word)

    def ack(self, pair: Pair) -> None:
        key = self.key()
        group = self.group()
        self.both(pair, ["XACK", key, group, *self.pending_ids(key, group, self.random.randrange(1, 8))], "XACK")

    def pending(self, pair: Pair) -> None:
        key, group = self.key(), self.group()
        if self.random.random() < 0.4:
            self.both(pair, ["XPENDING", key, group], "XPENDING")
            return
        idle = self.maybe("IDLE", self.random.choice(["0", "0", "0", str(HOUR_MS)]), chance=0.6)
        consumer = self.maybe(self.consumer(), chance=0.75)
        ends = [self.random.choice(["-", self.some_id(key)]), self.random.choice(["+", "(" + self.some_id(key)])]
        command = ["XPENDING", key, group, *idle, *ends, str(self.random.randrange(20)), *consumer]
        self.trace.append(" ".join(command))
        replies = [client.ask(*command) for client in (pair.theirs, pair.ours)]
        for reply in replies:
            for entry in reply if isinstance(reply, list) else []:
                entry[2] = "idle"
        self.compare(*replies)
        options = [*["IDLE"] * bool(idle), *["consumer"] * bool(consumer)]
        self.count(replies[0], "XPENDING range", *(f"XPENDING range {word}" for word in options))

    def claim(self, pair: Pair) -> None:
        key, group = self.key(), self.group()
        options: list[str] = []
        tags = ["XCLAIM"]
        for words in (["FORCE"], ["JUSTID"], ["IDLE", "5000"], ["TIME", "1600000000000"], ["RETRYCOUNT", "7"],
                      ["LASTID", self.some_id(key)]):  # fmt: skip
            if self.random.random() < 0.3:
                options += words
                tags.append("XCLAIM " + words[0])
        min_idle = self.random.choice(["0", "0", str(HOUR_MS)])
        ids = self.pending_ids(key, group, self.random.randrange(1, 6))
        consumer = self.consumer()
        self.make_consumer(pair, [key], group, consumer)
        self.both(pair, ["XCLAIM", key, group, consumer, min_idle, *ids, *options], *tags)

    def autoclaim(self, pair: Pair) -> None:
        key = self.key()
        count = self.maybe("COUNT", str(self.random.randrange(1, 6)))
        justid = self.maybe("JUSTID", chance=0.4)
        start = self.random.choice(["-", "0", self.some_id(key), "(" + self.some_id(key)])
        tags = ["XAUTOCLAIM", *("XAUTOCLAIM " + words[0] for words in (count, justid) if words)]
        group, consumer = self.group(), self.consumer()
        self.make_consumer(pair, [key], group, consumer)
        command = ["XAUTOCLAIM", key, group, consumer, self.random.choice(["0", "0", str(HOUR_MS)]), start]
        self.both(pair, [*command, *count, *justid], *tags)

    def set_id(self, pair: Pair) -> None:
        key = self.key()
        ms, n = self.last(key)
        id_ = f"{ms + self.random.randrange(3)}-{n + 1}"
        added = self.maybe("ENTRIESADDED", str(100_000 + self.random.randrange(5)), chance=0.3) if not self.calm else []
        deleted = self.maybe("MAXDELETEDID", "0-0", chance=0.2)
        tags = ["XSETID", *("XSETID " + words[0] for words in (added, deleted) if words)]
        if self.both(pair, ["XSETID", key, id_, *added, *deleted], *tags) == "OK":
            self.ids[key].append(tuple(int(part) for part in id_.split("-")))

    def masks(self, *more: bytes) -> tuple[bytes, ...]:
        return more if self.calm else (*more, b"lag", b"entries-read")

    def info(self, pair: Pair) -> None:
        key = self.key()
        what = self.random.randrange(3)
        if what == 0:
            self.both(pair, ["XINFO", "STREAM", key], "XINFO STREAM")
        elif what == 1:
            self.both(pair, ["XINFO", "GROUPS", key], "XINFO GROUPS", masks=self.masks())
        else:
            command = ["XINFO", "CONSUMERS", key, self.group()]
            self.both(pair, command, "XINFO CONSUMERS", masks=(b"idle", b"inactive"))

    # Every stream, in both protocol versions in turn.
    def full(self) -> None:
        self.commands_at_full = self.commands
        looker = self.lookers[self.commands % 2]
        for key in KEYS:
            count = self.maybe("COUNT", str(self.random.randrange(30)))
            command = ["XINFO", "STREAM", key, "FULL", *count]
            self.trace.append(" ".join(command))
            clients = looker.theirs, looker.ours
            replies = [without(client.ask(*command), self.masks(b"active-time")) for client in clients]
            # A map has one pair less where `active-time` was left out; show() does not tell heads.
            self.compare(*replies)
            self.count(replies[0], "XINFO STREAM FULL", *["XINFO STREAM FULL COUNT"] * bool(count))

    def keys(self, pair: Pair) -> None:
        key = self.key()
        far = str(self.random.randrange(10_000, 20_000))
        command = self.random.choice(
            [["TYPE", key], ["EXISTS", *KEYS, "nokey"], ["XLEN", key], ["DBSIZE"], ["EXPIRE", key, far], ["PERSIST", key],
             ["PEXPIREAT", key, "4000000000000"], ["PEXPIRETIME", key], ["TOUCH", key]]
        )  # fmt: skip
        if command[0] == "PERSIST":
            self.both(pair, ["EXPIRE", key, far, *self.random.choice([[], ["NX"], ["XX"], ["GT"], ["LT"]])], "EXPIRE")
        self.both(pair, command, command[0])
        reply = self.random.choice([["KEYS", "*a"], ["KEYS", "[ab]*"], ["SCAN", "0", "COUNT", "100"]])
        found = [client.ask(*reply) for client in (pair.theirs, pair.ours)]
        self.compare(*(sorted(one[1] if reply[0] == "SCAN" else one) for one in found))

    # 7.2 makes the consumer of a blocked client when it looks again.
    def group_readers(self) -> bool:
        return any(pair.blocked and pair.blocked[0] == "XREADGROUP" for pair in self.pairs)

    def drop_key(self, pair: Pair) -> None:
        key = self.key()
        if self.random.random() < 0.5 or self.group_readers():
            name = self.random.choice(["DEL", "UNLINK"])
            if self.both(pair, [name, key], name):
                self.ids[key] = []
            return
        other = self.key()
        if self.both(pair, ["RENAME", key, other], "RENAME") == "OK" and key != other:
            self.ids[other], self.ids[key] = self.ids[key], []

    def step(self, number: int) -> None:
        free = [pair for pair in self.pairs if not pair.blocked]
        calm = {
            self.add: 26, self.range: 9, self.read: 6, self.read_group: 12, self.history: 4, self.block: 5,
            self.transaction: 3, self.make_group: 9, self.move_group: 4, self.drop_group: 2, self.consumers: 11,
            self.ack: 6, self.pending: 26, self.claim: 16, self.autoclaim: 5, self.info: 8, self.keys: 10,
            self.drop_key: 1.5,
        }  # fmt: skip
        wild = {self.trim: 30, self.delete: 5, self.set_id: 7}
        choices = calm if self.calm else {**calm, **wild}
        (command,) = self.random.choices(list(choices), list(choices.values()))
        command(self.random.choice(free))
        if number % OTHERS_EVERY == 0:
            self.others.round(self.random.choice([pair for pair in self.pairs if not pair.blocked]))

    def close(self) -> None:
        for pair in [*self.pairs, *self.lookers]:
            pair.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tocsin")
    parser.add_argument("--seed", type=int, help="this one alone, without a look at the coverage")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--table", action="store_true", help="print how many answers each command and option had")
    options = parser.parse_args()
    answers: Counter = Counter()
    commands = 0
    began = time.monotonic()
    bad: list[str] = []
    seeds = range(1, SEEDS + 1) if options.seed is None else [options.seed]
    with Redis() as redis, Tocsin(options.tocsin) as tocsin:
        for seed in seeds:
            session = Session(redis, tocsin, seed, answers)
            try:
                for number in range(1, options.steps + 1):
                    session.step(number)
            except Different as difference:
                bad.append(f"seed {seed}, step {number}")
                print(f"seed {seed}, step {number}: the last commands were")
                print("  " + "\n  ".join(session.trace[-12:]))
                print(f"  {difference}")
            commands += session.commands
            session.close()
    if options.seed is None:
        bad += coverage.complaints(answers)
        if commands < AT_LEAST:
            bad.append(f"{commands} commands, {AT_LEAST} are needed")
    if options.table:
        print(coverage.table(answers))
    least = min(coverage.REQUIRED, key=lambda tag: answers[tag])
    print(f"{commands} commands with equal answers, {len(seeds)} seeds, {time.monotonic() - began:.0f} s; "
          f"least covered: {least}, {answers[least]} answers")  # fmt: skip
    for words in bad:
        print(f"BAD: {words}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
