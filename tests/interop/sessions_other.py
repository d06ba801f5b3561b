"""What sessions_vs_redis.py does besides streams: commands on keys, connections and the server, in rounds between the
random steps, so that each has enough answers without taking turns from the rest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from resp import Client, show

if TYPE_CHECKING:
    from sessions_vs_redis import Pair, Session

TIMES_S = (20_000, 40_000, 60_000, 80_000)  # from now
TOLERANCE_S = 60  # time passes between two questions
YEAR_2100_S = 4_102_444_800


class Others:
    def __init__(self, session: Session):
        self.session = session
        self.rounds = 0

    # One round, on `pair` and connections of its own.
    def round(self, pair: Pair) -> None:
        self.rounds += 1
        self.connection(pair)
        self.keys(pair)
        self.expiry(pair)
        self.server(pair)
        self.clients(pair.version)
        self.unblocking(pair.version)
        self.reset(pair.version)

    # What an empty database needs, at the begin of a session.
    def flush(self, pair: Pair, times: int) -> None:
        for _ in range(times):
            for command in ("FLUSHALL", "FLUSHALL SYNC", "FLUSHALL ASYNC", "FLUSHDB", "FLUSHDB SYNC", "FLUSHDB ASYNC"):
                self.say(pair, "XADD", "alpha", "1-1", "f", "v")
                self.say(pair, *command.split(), tags=(command.split()[0], command))
                self.say(pair, "EXISTS", "alpha")

    def say(self, pair: Pair, *command: str, tags: tuple[str, ...] = ()) -> object:
        return self.session.both(pair, list(command), *tags)

    # Both are asked, what is left of the answers by `what` is compared.
    def shape(self, pair: Pair, command: list[str], what, tags: tuple[str, ...]) -> None:
        replies = [client.ask(*command) for client in (pair.theirs, pair.ours)]
        self.session.trace.append(" ".join(command))
        self.session.compare(*(what(reply) for reply in replies))
        self.session.count(replies[0], *tags)

    def connection(self, pair: Pair) -> None:
        self.say(pair, "PING", tags=("PING",))
        self.say(pair, "PING", "hello", tags=("PING",))
        self.say(pair, "ECHO", "hello\r\n", tags=("ECHO",))
        self.say(pair, "SELECT", "0", tags=("SELECT",))
        self.say(pair, "SELECT", "no number")
        self.say(pair, "CLIENT", "SETNAME", f"name{self.rounds}", tags=("CLIENT SETNAME",))
        self.say(pair, "CLIENT", "GETNAME", tags=("CLIENT GETNAME",))
        for word in ("ON", "OFF"):
            self.say(pair, "CLIENT", "NO-EVICT", word, tags=("CLIENT NO-EVICT",))
        self.say(pair, "CLIENT", "GETREDIR", tags=("CLIENT GETREDIR",))
        self.say(pair, "CLIENT", "TRACKINGINFO", tags=("CLIENT TRACKINGINFO",))
        self.say(pair, "CLIENT", "REPLY", "ON", tags=("CLIENT REPLY",))
        for client in (pair.theirs, pair.ours):
            client.send(b"CLIENT REPLY SKIP\r\nPING skipped\r\n")
        self.say(pair, "PING", "after", tags=("CLIENT REPLY SKIP",))
        for client in (pair.theirs, pair.ours):
            client.send(b"CLIENT REPLY OFF\r\nPING off\r\nCLIENT REPLY ON\r\n")
        self.session.compare(pair.theirs.read(), pair.ours.read())
        self.say(pair, "WATCH", "alpha", tags=("WATCH",))
        self.say(pair, "UNWATCH", tags=("UNWATCH",))
        self.say(pair, "MULTI", tags=("MULTI",))
        self.say(pair, "DISCARD", tags=("DISCARD",))
        self.shape(pair, ["CLIENT", "ID"], lambda reply: type(reply).__name__, ("CLIENT ID",))
        self.shape(pair, ["CLIENT", "INFO"], named(f"name{self.rounds}"), ("CLIENT INFO",))
        self.shape(pair, ["TIME"], lambda reply: [len(reply), len(reply[0])], ("TIME",))
        for version in ("2", "3", str(pair.version)):
            self.shape(pair, ["HELLO", version], without_identity, ("HELLO",))
        self.shape(pair, ["HELLO", str(pair.version), "SETNAME", "greeted"], without_identity, ("HELLO SETNAME",))
        self.say(pair, "CLIENT", "GETNAME")

    def keys(self, pair: Pair) -> None:
        self.say(pair, "XADD", "other", "7-7", "f", "v")
        self.say(pair, "TYPE", "other", tags=("TYPE",))
        self.say(pair, "OBJECT", "ENCODING", "other", tags=("OBJECT ENCODING",))
        self.say(pair, "OBJECT", "REFCOUNT", "other", tags=("OBJECT REFCOUNT",))
        self.shape(pair, ["MEMORY", "USAGE", "other"], lambda reply: type(reply).__name__, ("MEMORY USAGE",))
        self.say(pair, "EXISTS", "other", "alpha", "other", tags=("EXISTS",))
        self.say(pair, "TOUCH", "other", tags=("TOUCH",))
        self.shape(pair, ["RANDOMKEY"], lambda reply: type(reply).__name__, ("RANDOMKEY",))
        self.say(pair, "DBSIZE", tags=("DBSIZE",))
        for pattern in ("*", "[ao]*", "othe?", "\\other"):
            self.shape(pair, ["KEYS", pattern], sorted, ("KEYS",))
        for words in ("", "MATCH [abo]*", "COUNT 100", "TYPE stream", "MATCH o* COUNT 100 TYPE stream"):
            tags = ("SCAN", *(f"SCAN {word}" for word in words.split() if word.isupper()))
            self.shape(pair, ["SCAN", "0", *words.split(), *(["COUNT", "100"] if "COUNT" not in words else [])],
                       lambda reply: [reply[0], sorted(reply[1])], tags)  # fmt: skip
        self.say(pair, "RENAMENX", "other", "alpha")
        self.say(pair, "RENAMENX", "other", "another", tags=("RENAMENX",))
        self.say(pair, "RENAME", "another", "other", tags=("RENAME",))
        self.say(pair, "UNLINK", "other", "nokey", tags=("UNLINK",))
        self.say(pair, "XADD", "other", "7-7", "f", "v")
        self.say(pair, "DEL", "other", "other", tags=("DEL",))

    # Each condition where it holds and where it does not.
    def expiry(self, pair: Pair) -> None:
        self.say(pair, "XADD", "mortal", "7-7", "f", "v")
        for name, scale, base in (("EXPIRE", 1, 0), ("PEXPIRE", 1000, 0), ("EXPIREAT", 1, YEAR_2100_S),
                                  ("PEXPIREAT", 1000, YEAR_2100_S)):  # fmt: skip
            # A relative time that is asked for twice is later the second time.
            sooner, soon, late, later = (str((base + after) * scale) for after in TIMES_S)
            self.say(pair, name, "mortal", soon, "XX")
            self.say(pair, name, "mortal", soon, "NX", tags=(name, f"{name} NX"))
            self.say(pair, name, "mortal", late, "NX")
            self.say(pair, name, "mortal", sooner, "GT")
            self.say(pair, name, "mortal", late, "GT", tags=(f"{name} GT",))
            self.say(pair, name, "mortal", later, "LT")
            self.say(pair, name, "mortal", soon, "LT", tags=(f"{name} LT",))
            self.say(pair, name, "mortal", late, "XX", tags=(f"{name} XX",))
            for question in ("TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"):
                if base and question.endswith("TIME"):
                    self.say(pair, question, "mortal", tags=(question,))
                else:
                    self.about_equal(pair, question, TOLERANCE_S * (1000 if question.startswith("P") else 1))
            self.say(pair, "PERSIST", "mortal", tags=("PERSIST",))
            self.say(pair, "TTL", "mortal")
        self.say(pair, "PEXPIREAT", "mortal", "1000", tags=("PEXPIREAT",))  # it is past: the key goes
        self.say(pair, "EXISTS", "mortal")

    def about_equal(self, pair: Pair, question: str, tolerance: int) -> None:
        theirs, ours = (client.ask(question, "mortal") for client in (pair.theirs, pair.ours))
        near = isinstance(theirs, int) and isinstance(ours, int) and abs(theirs - ours) <= tolerance
        self.session.trace.append(f"{question} mortal")
        self.session.compare(theirs, theirs if near else ours)
        self.session.count(theirs, question)

    def server(self, pair: Pair) -> None:
        entries = self.session.node_entries
        self.say(pair, "CONFIG", "GET", "stream-node-max-entries", tags=("CONFIG GET",))
        self.say(pair, "CONFIG", "SET", "stream-node-max-entries", str(entries), tags=("CONFIG SET",))
        self.say(pair, "CONFIG", "SET", "stream-node-max-bytes", "4096", tags=("CONFIG SET",))
        self.say(pair, "CONFIG", "RESETSTAT", tags=("CONFIG RESETSTAT",))
        self.shape(pair, ["INFO", "server"], lambda reply: b"redis_version:" in bytes(reply), ("INFO",))
        self.shape(pair, ["COMMAND", "COUNT"], lambda reply: type(reply).__name__, ("COMMAND COUNT",))
        self.shape(pair, ["COMMAND", "INFO", "xadd", "xlen", "xreadgroup"], heads, ("COMMAND INFO",))
        self.shape(pair, ["COMMAND", "DOCS", "xadd"], lambda reply: reply[0], ("COMMAND DOCS",))
        self.say(pair, "WAIT", "0", "1")
        for container in ("XINFO", "XGROUP"):
            self.say(pair, container, "HELP", tags=(f"{container} HELP",))

    # CLIENT LIST and KILL, with somebody to find.
    def clients(self, version: int) -> None:
        session = self.session
        watcher = session.watcher
        ways = {
            "ID": lambda client, id: ["ID", str(id)],
            "ADDR": lambda client, id: ["ADDR", address(client.socket.getsockname())],
            "LADDR": lambda client, id: ["LADDR", address(client.socket.getpeername()), "ID", str(id)],
            "USER": lambda client, id: ["USER", "default", "ID", str(id)],
            "TYPE": lambda client, id: ["TYPE", "normal", "ID", str(id)],
            "SKIPME": lambda client, id: ["SKIPME", "no", "ID", str(id)],
        }
        for word, way in ways.items():
            victim = session.extra_pair(version)
            replies = []
            for client, killer in ((victim.theirs, watcher.theirs), (victim.ours, watcher.ours)):
                id = client.ask("CLIENT", "ID")
                if word == "ID":
                    self.one_listed(killer, id)
                replies.append(killer.ask("CLIENT", "KILL", *way(client, id)))
                client.closed()
            session.trace.append(f"CLIENT KILL {word}")
            session.compare(*replies)
            session.count(replies[0], "CLIENT KILL", f"CLIENT KILL {word}")
            victim.close()
        session.count(1, "CLIENT LIST", "CLIENT LIST ID")
        self.shape(watcher, ["CLIENT", "LIST", "TYPE", "pubsub"], lambda reply: reply, ())
        count = lambda reply: len(bytes(reply).splitlines())  # noqa: E731
        self.shape(watcher, ["CLIENT", "LIST", "TYPE", "normal"], count, ("CLIENT LIST TYPE",))

    def one_listed(self, asker: Client, id: object) -> None:
        reply = asker.ask("CLIENT", "LIST", "ID", str(id))
        if len(re.findall(rb"^id=%d " % id, bytes(reply), re.MULTILINE)) != 1:  # type: ignore[arg-type, str-bytes-safe]
            self.session.differ(f"CLIENT LIST ID {id}: {reply!r}")

    def unblocking(self, version: int) -> None:
        session = self.session
        victim = session.extra_pair(version)
        for how in ([], ["TIMEOUT"], ["ERROR"]):
            for client in (victim.theirs, victim.ours):
                client.send(b"XREAD BLOCK 0 STREAMS nokey $\r\n")
            session.expect_blocked(more=1)
            ids = victim.their_id, victim.our_id
            freed = [asker.ask("CLIENT", "UNBLOCK", str(id), *how)
                     for asker, id in zip((session.watcher.theirs, session.watcher.ours), ids)]  # fmt: skip
            session.compare(*freed)
            session.compare(victim.theirs.read(), victim.ours.read())
            session.count(freed[0], "CLIENT UNBLOCK", *(f"CLIENT UNBLOCK {word}" for word in how))
            session.expect_blocked()
        victim.close()

    def reset(self, version: int) -> None:
        victim = self.session.extra_pair(version)
        self.say(victim, "MULTI")
        self.say(victim, "RESET", tags=("RESET",))
        self.say(victim, "CLIENT", "GETNAME")
        self.shape(victim, ["QUIT"], lambda reply: reply, ("QUIT",))
        self.session.compare(victim.theirs.closed(), victim.ours.closed())
        victim.close()


def address(pair: tuple) -> str:
    return f"{pair[0]}:{pair[1]}"


def named(name: str):
    return lambda reply: f" name={name} ".encode() in bytes(reply)


def without_identity(reply: object) -> object:
    if not isinstance(reply, list):
        return reply
    told = dict(zip(reply[::2], reply[1::2]))
    return [type(reply).__name__, *(show(told[name]) for name in (b"server", b"proto", b"mode", b"role", b"modules"))]


# Name, arity, keys; flags are as each has them.
def heads(reply: object) -> object:
    return [[one[0], one[1], *one[3:6]] if isinstance(one, list) else one for one in reply]  # type: ignore[union-attr]
