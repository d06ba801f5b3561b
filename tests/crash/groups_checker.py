"""The checker of groups.py: what a server held before a crash, what its clients did until then and what they were
answered, against what it holds after the next start.

The two states come from the server itself, as the answers to XINFO, XPENDING and XRANGE when nobody else is connected;
all that they say is compared with each other first. Between them lies the list of commands, each with the moments when
it was sent and answered. A command without an answer may have happened or not, but as a whole. Findings:

  lost         an entry whose XADD was answered is gone, and no XDEL or trim explains it
  unknown      an entry that nobody added
  altered      an entry with other content than was added
  reused       an id that was given to two entries, or to a later entry although it is the lower one
  undeleted    an XDEL, XTRIM or MAXLEN was answered, and what it took is there
  unacked      an XACK was answered, and the entry is pending again without having been delivered again
  vanished     an entry behind the group's position that is neither pending nor acked
  undelivered  an entry was delivered, and the group says it was not
  redelivered  an entry was delivered as a new one twice
  conjured     an entry is pending that nobody can have been given
  owner        it is pending for somebody who did not get it, or not as the last
  deliveries   its count of deliveries is not the number of its deliveries
  torn         of a command, or of a MULTI, a part has happened; or of a pipeline the later part without the earlier
  backwards    the last id of a stream, a group's position or the number of entries added has gone back
  counters     two answers that must agree do not
  ghost        a consumer that was deleted is there

A group is strict where nobody moves its position, deletes its consumers or forces claims: there all of this holds. In
the other groups positions jump and pending lists are thrown away, so vanished, undelivered and redelivered mean
nothing. kill -9 takes no byte that was written, so a delivery that was answered is there after it; a power loss may
take it, and then the entry is delivered again as a new one (tests/powerloss/groups.cc). Deliveries.MAY_BE_LOST is for
tests with such losses: undelivered and redelivered are no findings then, vanished and unacked are.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

CLASSES = (
    "lost", "unknown", "altered", "reused", "undeleted", "unacked", "vanished", "undelivered", "redelivered",
    "conjured", "owner", "deliveries", "torn", "backwards", "counters", "ghost",
)  # fmt: skip
MAX_EXAMPLES = 5  # of each class, in words
NEVER = 1 << 62
CONSUMER_OF_NOBODY = ""  # who has what XNACK released

Id = tuple[int, int]
Reply = object


class Failure(str):
    """An answer that begins with `-`."""


def parse_id(text: str) -> Id:
    ms, _, n = text.partition("-")
    return int(ms), int(n)


def id_text(id: Id) -> str:
    return f"{id[0]}-{id[1]}"


class Deliveries(Enum):
    ARE_KEPT = "kept"
    MAY_BE_LOST = "may be lost"


@dataclass(slots=True)
class Command:
    """One command of a client. `unit` is one for those of a MULTI, `pipeline` for those that were sent at once."""

    consumer: str
    words: tuple[str, ...]
    sent: int
    answered: int = NEVER
    reply: Reply = None
    unit: int = 0
    pipeline: int = 0

    @property
    def name(self) -> str:
        return " ".join(self.words[:2]) if self.words[0] == "XGROUP" else self.words[0]

    def after(self, word: str, default: str = "") -> str:
        return self.words[self.words.index(word) + 1] if word in self.words else default

    # What it can be pointed at with in a finding.
    def text(self) -> str:
        return f"{self.consumer}: {' '.join(self.words)[:120]}"


@dataclass(slots=True)
class Pending:
    owner: str
    deliveries: int


@dataclass(slots=True)
class Group:
    position: Id
    entries_read: int | None
    lag: int | None
    pending: dict[Id, Pending]
    consumers: set[str]


@dataclass(slots=True)
class Stream:
    entries: dict[Id, str]  # in order
    last_id: Id
    added: int
    groups: dict[str, Group] = field(default_factory=dict)


@dataclass(slots=True)
class Report:
    findings: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    checked: Counter[str] = field(default_factory=Counter)

    def find(self, kind: str, words: str) -> None:
        assert kind in CLASSES
        self.findings[kind] += 1
        if len(self.examples[kind]) < MAX_EXAMPLES:
            self.examples[kind].append(words)

    def text(self) -> str:
        lines = [", ".join(f"{name} {count}" for name, count in sorted(self.checked.items()))]
        lines.append(", ".join(f"{kind} {self.findings[kind]}" for kind in CLASSES))
        lines += [f"  {kind}: {words}" for kind in CLASSES for words in self.examples[kind]]
        return "\n".join(lines)


# A flat list of names and values, as RESP2 has it.
def fields(reply: list) -> dict:
    return dict(zip(reply[::2], reply[1::2]))


# The words that name ids in XACK, XCLAIM, XDEL, XNACK and XACKDEL.
def ids_of(command: Command) -> list[Id]:
    words = command.words
    if "IDS" in words:
        at = words.index("IDS")
        return [parse_id(word) for word in words[at + 2 : at + 2 + int(words[at + 1])]]
    first = {"XACK": 3, "XCLAIM": 5, "XDEL": 2}[words[0]]
    ids = []
    for word in words[first:]:
        if not word[0].isdigit():
            break
        ids.append(parse_id(word))
    return ids


def entries_of(reply: Reply) -> list[tuple[Id, str | None]]:
    assert isinstance(reply, list)
    return [(parse_id(id), fields(content).get("message") if content is not None else None) for id, content in reply]


# The stream as its reports have it, which must agree.
class Reports:
    def __init__(self, key: str, full: list, whole: list, length: int, groups: list, report: Report):
        self.key = key
        self.report = report
        self.full = fields(full)
        self.groups = {fields(group)["name"]: fields(group) for group in groups}
        entries = {id: message or "" for id, message in entries_of(whole)}
        self.stream = Stream(entries, parse_id(self.full["last-generated-id"]), self.full["entries-added"])
        self._agree("length", length, len(entries), self.full["length"], len(self.full["entries"]))
        self._agree("entries by XRANGE and XINFO STREAM FULL", whole, self.full["entries"])
        self._agree("groups", set(self.groups), {fields(group)["name"] for group in self.full["groups"]})
        if list(entries) != sorted(set(entries)) or len(entries) != len(whole):
            report.find("counters", f"{key}: XRANGE does not ascend")
        if entries and next(reversed(entries)) > self.stream.last_id:
            report.find("counters", f"{key}: an entry above the last id {id_text(self.stream.last_id)}")
        if self.stream.added < len(entries):
            report.find("counters", f"{key}: {self.stream.added} were added, {len(entries)} are there")

    def _agree(self, what: str, *answers: object) -> None:
        if any(answer != answers[0] for answer in answers):
            self.report.find("counters", f"{self.key}: {what}: {' / '.join(str(answer)[:100] for answer in answers)}")

    def add_group(self, name: str, summary: list, listed: list, consumers: list) -> None:
        full = next(fields(group) for group in self.full["groups"] if fields(group)["name"] == name)
        short = self.groups[name]
        pending = {parse_id(id): Pending(owner, count) for id, owner, _, count in listed}
        by_owner = Counter(one.owner for one in pending.values() if one.owner != CONSUMER_OF_NOBODY)
        where = f"group {name}: "
        self._agree(where + "pending entries", len(listed), len(pending), summary[0], short["pending"],
                    full["pel-count"], len(full["pending"]))  # fmt: skip
        self._agree(where + "owners by XPENDING", by_owner, Counter({one: int(n) for one, n in summary[3] or []}))
        self._agree(where + "first and last pending", [summary[1], summary[2]],
                    [id_text(min(pending)), id_text(max(pending))] if pending else [None, None])  # fmt: skip
        self._agree(where + "pending in full", [(id, owner, count) for id, owner, _, count in listed],
                    [(id, owner, count) for id, owner, _, count in full["pending"]])  # fmt: skip
        named = {fields(one)["name"]: fields(one)["pending"] for one in consumers}
        in_full = {fields(one)["name"]: fields(one) for one in full["consumers"]}
        self._agree(where + "owners by XINFO CONSUMERS", +by_owner, +Counter(named))
        self._agree(where + "consumers", set(named), set(in_full))
        self._agree(where + "how many consumers", len(named), short["consumers"])
        for consumer, one in in_full.items():
            own = [id_text(id) for id, it in pending.items() if it.owner == consumer]
            self._agree(f"{where}{consumer}", own, [id for id, *_ in one["pending"]])
            self._agree(f"{where}{consumer}", len(own), one["pel-count"])
        for field_name in ("last-delivered-id", "entries-read", "lag"):
            self._agree(where + field_name, short[field_name], full[field_name])
        position = parse_id(short["last-delivered-id"])
        ahead = sum(id > position for id in self.stream.entries)
        if short["lag"] is not None:
            self._agree(where + "lag and the entries ahead", short["lag"], ahead)
        self.stream.groups[name] = Group(position, short["entries-read"], short["lag"], pending, set(named))


class Adds:
    """All XADDs of a test: what stands under which id."""

    def __init__(self, report: Report):
        self.report = report
        self.keys: dict[str, tuple[str, Command]] = {}  # by message, which is unlike any other's
        self.ids: dict[tuple[str, Id], str] = {}
        self.highest: dict[str, list[tuple[int, Id]]] = defaultdict(list)  # by key: the highest so far, and since when

    def take(self, command: Command) -> None:
        assert command.words[0] == "XADD"
        key, message = command.words[1], command.after("message")
        assert message not in self.keys, "the test must not add one message twice"
        self.keys[message] = (key, command)
        if command.answered != NEVER:
            self.bind(key, parse_id(str(command.reply)), message, "an answer")

    # In the order of their answers.
    def check_order(self, commands: Iterable[Command]) -> None:
        for command in sorted((c for c in commands if c.answered != NEVER), key=lambda c: c.answered):
            key, id = command.words[1], parse_id(str(command.reply))
            known = self.highest[key]
            low, high = 0, len(known)
            while low < high:  # the first that was answered after this was sent
                middle = (low + high) // 2
                low, high = (middle + 1, high) if known[middle][0] < command.sent else (low, middle)
            if low > 0 and known[low - 1][1] >= id:
                self.report.find("reused", f"{key}: {id_text(id)} was given after {id_text(known[low - 1][1])}")
            known.append((command.answered, max(id, known[-1][1]) if known else id))

    def bind(self, key: str, id: Id, message: str | None, where: str) -> None:
        if message is None:
            return
        known = self.keys.get(message)
        if known is None or known[0] != key:
            return self.report.find("unknown", f"{key} {id_text(id)} {message[:60]!r} in {where}")
        before = self.ids.setdefault((key, id), message)
        if before != message:
            self.report.find("reused", f"{key} {id_text(id)} in {where}: {message[:60]!r}, and was {before[:60]!r}")


@dataclass(slots=True)
class Touch:
    """A command that gave an entry to somebody, or may have."""

    command: Command | None  # None: it was so before the cycle
    owner: str
    deliveries: tuple[int, int]  # at least, at most
    certain: bool
    new: bool = False  # as a new entry, or by force

    @property
    def sent(self) -> int:
        return self.command.sent if self.command else -1

    @property
    def answered(self) -> int:
        return self.command.answered if self.command else -1


class Cycle:
    """One stream from one look at it to the next."""

    def __init__(self, key: str, before: Stream, after: Stream, commands: list[Command], adds: Adds, report: Report,
                 strict: set[str], calm: bool, deliveries: Deliveries = Deliveries.ARE_KEPT):  # fmt: skip
        self.key, self.before, self.after, self.adds, self.report = key, before, after, adds, report
        self.strict, self.calm, self.deliveries = strict, calm, deliveries
        self.commands = [c for c in commands if key in c.words and not isinstance(c.reply, Failure)]
        # Whether an unanswered command has happened, so far as its traces tell: True, False, both (torn) or neither.
        self.happened: dict[int, set[bool]] = defaultdict(set)

    def check(self) -> dict[int, set[bool]]:
        self._check_entries()
        for name, group in self.after.groups.items():
            if name in self.before.groups:
                Members(self, name, self.before.groups[name], group).check()
        self._check_torn()
        return self.happened

    def named(self, *names: str) -> list[Command]:
        return [command for command in self.commands if command.name in names]

    def _find(self, kind: str, words: str) -> None:
        self.report.find(kind, f"{self.key}: {words}")

    # Entries.

    def _check_entries(self) -> None:
        before, after = self.before, self.after
        known = dict(before.entries)
        unanswered_adds = {}
        added = 0
        for command in self.named("XADD"):
            if command.answered != NEVER:
                known[parse_id(str(command.reply))] = command.after("message")
                added += 1
            else:
                unanswered_adds[command.after("message")] = command
        for id, message in after.entries.items():
            self.adds.bind(self.key, id, message, "the stream")
            if id in known:
                if known[id] != message:
                    self._find("altered", f"{id_text(id)} is {message[:60]!r}, and was {known[id][:60]!r}")
            elif (command := unanswered_adds.pop(message, None)) is not None:
                self.happened[id_of(command)].add(True)
                known[id] = message
                added += 1
            else:
                self._find("unknown", f"{id_text(id)} {message[:60]!r} has come by itself")
        if self.calm:
            for command in unanswered_adds.values():
                self.happened[id_of(command)].add(False)
        self._check_removals(known, spare=len(unanswered_adds))
        self._check_head(known, added, spare=0 if self.calm else len(unanswered_adds))
        self.report.checked["entries"] += len(known)

    def _check_removals(self, known: dict[Id, str], spare: int) -> None:
        after = self.after
        deleted: set[Id] = set()
        for command in self.named("XDEL", "XACKDEL"):
            for id in ids_of(command):
                deleted.add(id)
                if command.name == "XDEL" and command.answered != NEVER and id in after.entries:
                    self._find("undeleted", f"{id_text(id)} was taken by {command.text()}")
        missing = [id for id in known if id not in after.entries and id not in deleted]
        lengths = [int(c.words[-1]) if c.name == "XTRIM" else int(c.words[c.words.index("MAXLEN") + 2])
                   for c in self.named("XTRIM", "XADD") if "MAXLEN" in c.words]  # fmt: skip
        lowest = max((parse_id(c.words[-1]) for c in self.named("XTRIM") if "MINID" in c.words), default=(0, 0))
        order = sorted(known)
        behind = {id: len(order) - 1 - at + spare for at, id in enumerate(order)}
        # Trims take a prefix.
        kept = next((id for id in sorted(after.entries)), None)
        for id in missing:
            if not (id < lowest or (lengths and behind[id] >= min(lengths))):
                self._find("lost", f"{id_text(id)} {known[id][:60]!r}")
            elif kept is not None and id > kept:
                self._find("lost", f"{id_text(id)} {known[id][:60]!r} from amidst those that were kept")
        for command in self.named("XTRIM", "XADD"):
            self._check_trimmed(command)

    # An exact trim that was answered, or came with an XADD that has happened, has left no more than it should.
    def _check_trimmed(self, command: Command) -> None:
        if "=" not in command.words:
            return
        entries = self.after.entries
        if command.name == "XADD":
            message = command.after("message")
            at = parse_id(str(command.reply)) if command.answered != NEVER else next(
                (id for id, text in entries.items() if text == message), None)  # fmt: skip
            if at is None:
                return
            old = sum(id <= at for id in entries)
            allowed = int(command.words[command.words.index("=") + 1])
        elif command.answered == NEVER:
            return
        elif "MINID" in command.words:
            lowest = parse_id(command.words[-1])
            old, allowed = sum(id < lowest for id in entries), 0
        else:
            sure = {parse_id(str(c.reply)) for c in self.named("XADD") if c.answered < command.sent}
            old = sum(id in sure or id in self.before.entries for id in entries)
            allowed = int(command.words[-1])
        if old > allowed:
            self._find("undeleted", f"{old} entries are left of before {command.text()}")

    def _check_head(self, known: dict[Id, str], added: int, spare: int) -> None:
        before, after = self.before, self.after
        given = max([before.last_id, *known])
        if after.last_id < given:
            self._find("backwards", f"the last id is {id_text(after.last_id)}, {id_text(given)} was given")
        if self.calm and after.last_id != given:
            self._find("counters", f"the last id is {id_text(after.last_id)}, above the last entry")
        if after.added < before.added + added:
            self._find("backwards", f"{before.added} + {added} entries were added, it counts {after.added}")
        if after.added > before.added + added + spare:
            self._find("counters", f"{before.added} + {added} entries were added, it counts {after.added}")

    def _check_torn(self) -> None:
        for command in self.commands:
            if self.happened.get(id_of(command)) == {True, False}:
                self._find("torn", command.text())


# What tells one happening from another: a MULTI is one.
def id_of(command: Command) -> int:
    return -command.unit if command.unit else command.sent


class Members:
    """One group from one look at it to the next."""

    def __init__(self, cycle: Cycle, name: str, before: Group, after: Group):
        self.cycle, self.name, self.before, self.after = cycle, name, before, after
        self.strict = name in cycle.strict
        self.report = cycle.report
        self.touches: dict[Id, list[Touch]] = defaultdict(list)
        self.anything: list[Touch] = []  # of commands that may have touched any entry
        self.acks: dict[Id, list[Command]] = defaultdict(list)
        self.delivered: dict[Id, Command] = {}  # as new
        self.noack: set[Id] = set()
        self.silenced: Counter[Id] = Counter()

    def commands(self, *names: str) -> list[Command]:
        return [command for command in self.cycle.named(*names) if self.name in command.words]

    def _find(self, kind: str, words: str) -> None:
        self.report.find(kind, f"{self.cycle.key} {self.name}: {words}")

    def check(self) -> None:
        for id, one in self.before.pending.items():
            self.touches[id].append(Touch(None, one.owner, (one.deliveries, one.deliveries), certain=True))
        self._read_deliveries()
        self._read_claims()
        for command in self.commands("XACK", "XACKDEL"):
            for id in ids_of(command):
                self.acks[id].append(command)
        self._check_acks()
        self._check_pending()
        self._check_consumers()
        if self.strict:
            self._check_position()
            self._check_whole_acks()
        elif not self.commands("XGROUP SETID"):
            if self.after.position < self.before.position:
                self._find("backwards", f"{id_text(self.before.position)} -> {id_text(self.after.position)}")

    def _read_deliveries(self) -> None:
        for command in self.commands("XREADGROUP"):
            at = command.words.index("STREAMS")
            keys = command.words[at + 1 : at + 1 + (len(command.words) - at - 1) // 2]
            new = command.words[at + 1 + len(keys) + keys.index(self.cycle.key)] == ">"
            noack = "NOACK" in command.words
            if command.answered == NEVER:
                if not noack:
                    self.anything.append(Touch(command, command.consumer, (0, 1), certain=False, new=new))
                continue
            for key, entries in command.reply or []:
                for id, message in entries_of(entries) if key == self.cycle.key else []:
                    self.cycle.adds.bind(key, id, message, "a delivery")
                    self._deliver(command, id, new, noack, 1 if message is not None else 0)

    def _deliver(self, command: Command, id: Id, new: bool, noack: bool, count: int) -> None:
        self.report.checked["deliveries"] += 1
        if noack:
            self.noack.add(id)
            return
        self.touches[id].append(Touch(command, command.consumer, (count, count), certain=True, new=new))
        if not new or not self.strict:
            return
        again = id in self.delivered or id <= self.before.position
        if again and self.cycle.deliveries is Deliveries.ARE_KEPT:
            self._find("redelivered", f"{id_text(id)} to {command.text()}")
        self.delivered[id] = command

    def _read_claims(self) -> None:
        for command in self.commands("XCLAIM", "XAUTOCLAIM"):
            count = 0 if "JUSTID" in command.words else 1
            force = "FORCE" in command.words
            if command.answered == NEVER:
                touch = Touch(command, command.consumer, (0, count + force), certain=False, new=force)
                if command.name == "XCLAIM":
                    for id in ids_of(command):
                        self.touches[id].append(touch)
                else:
                    self.anything.append(touch)
                continue
            reply = command.reply if command.name == "XCLAIM" else command.reply[1]
            ids = [parse_id(id) for id in reply] if "JUSTID" in command.words else [id for id, _ in entries_of(reply)]
            for id in ids:
                touch = Touch(command, command.consumer, (count, count + force), certain=True, new=force)
                self.touches[id].append(touch)
        for command in self.commands("XNACK"):
            ids = ids_of(command)
            certain = command.reply == len(ids) and command.answered != NEVER
            for id in ids:
                self.touches[id].append(Touch(command, CONSUMER_OF_NOBODY, (0, 0), certain=certain))
                self.silenced[id] += "SILENT" in command.words

    # The commands without an answer that may have touched it, whatever it was. In a strict group, none is new twice.
    def _untold(self, id: Id) -> list[Touch]:
        if self.strict and (id <= self.before.position or id in self.delivered):
            return [touch for touch in self.anything if not touch.new]
        return self.anything

    # The ways in which an entry can have become pending, or have stayed so: each is a touch that no ack follows.
    def _sources(self, id: Id) -> list[Touch]:
        acked = [ack.sent for ack in self.acks[id] if ack.answered != NEVER]
        sources = [t for t in self.touches[id] if t.command is None or t.new]
        sources += [touch for touch in self._untold(id) if touch.new]
        return [touch for touch in sources if not any(touch.answered < sent for sent in acked)]

    def _check_acks(self) -> None:
        for id, acks in self.acks.items():
            if id not in self.after.pending or not any(ack.answered != NEVER for ack in acks):
                continue
            # With a delivery that may have been lost, it may have been one more time a new entry.
            if self.strict or not self._sources(id):
                ack = next(ack for ack in acks if ack.answered != NEVER)
                self._find("unacked", f"{id_text(id)} after {ack.text()}")
        self.report.checked["acks"] += len(self.acks)

    def _check_pending(self) -> None:
        for id, one in self.after.pending.items():
            if id not in self.before.pending and (self.cycle.key, id) not in self.cycle.adds.ids:
                self._find("conjured", f"{id_text(id)}: there was no such entry")
                continue
            if not self._sources(id):
                if not self.acks[id]:
                    self._find("conjured", f"{id_text(id)} for {one.owner!r}: nobody was given it")
                continue
            touches = self.touches[id] + self._untold(id)
            last = [t for t in touches if not any(t.answered < later.sent for later in touches if later.certain)]
            if one.owner not in {touch.owner for touch in last}:
                self._find("owner", f"{id_text(id)} is {one.owner!r}'s, not {sorted({t.owner for t in last})}'s")
            if self.strict:
                self._check_count(id, one, touches)
        self.report.checked["pending"] += len(self.after.pending)

    def _check_count(self, id: Id, one: Pending, touches: list[Touch]) -> None:
        least = sum(touch.deliveries[0] for touch in touches) - self.silenced[id]
        most = sum(touch.deliveries[1] for touch in touches)
        if not least <= one.deliveries <= most:
            self._find("deliveries", f"{id_text(id)} counts {one.deliveries}, not {least} to {most}")

    def _check_consumers(self) -> None:
        for command in self.commands("XGROUP DELCONSUMER"):
            name = command.words[4]
            others = self.commands("XREADGROUP", "XCLAIM", "XAUTOCLAIM")
            used = any(other.consumer == name and other.answered > command.sent for other in others)
            if command.answered != NEVER and not used and name in self.after.consumers:
                self._find("ghost", f"{name} after {command.text()}")

    def _check_position(self) -> None:
        before, after, cycle = self.before, self.after, self.cycle
        if after.position < before.position and cycle.deliveries is Deliveries.ARE_KEPT:
            self._find("backwards", f"{id_text(before.position)} -> {id_text(after.position)}")
        if after.position > cycle.after.last_id:
            self._find("counters", f"it stands at {id_text(after.position)}, above all entries")
        evidence = {id for id, touches in self.touches.items() if any(t.certain for t in touches)}
        for id in evidence:
            kept = cycle.deliveries is Deliveries.ARE_KEPT or any(ack.answered != NEVER for ack in self.acks[id])
            if kept and id > after.position:
                self._find("undelivered", f"{id_text(id)} was given out, it stands at {id_text(after.position)}")
        unexplained = 0
        for id in cycle.after.entries:
            if id > after.position or id in after.pending:
                unexplained += before.position < id <= after.position and id not in self.delivered
                continue
            done_before = id <= before.position and id not in before.pending
            if done_before or self.acks[id]:
                continue
            self._find("vanished", f"{id_text(id)} is behind {id_text(after.position)}, and nobody has acked it")
        # Those that came with no answer came with a command that was under way.
        room = sum(int(t.command.after("COUNT", str(NEVER))) for t in self.anything if t.command and t.new)
        if unexplained > room:
            self._find("conjured", f"{unexplained} were delivered without an answer, by commands that ask for {room}")
        if cycle.calm:
            read = sum(id <= after.position for id in cycle.after.entries)
            ahead = len(cycle.after.entries) - read
            if (after.entries_read, after.lag) != (read, ahead):
                self._find("counters", f"read {after.entries_read}, lag {after.lag}; recomputed {read}, {ahead}")

    # Where nothing is deleted, an entry leaves the pending list through an ack alone: their numbers are those of the
    # answers, and an XACK without an answer has taken all of its ids or none.
    def _check_whole_acks(self) -> None:
        if not self.cycle.calm:
            return
        gone = {id for id in self.before.pending if id not in self.after.pending}
        gone |= {id for id in self.cycle.after.entries
                 if self.before.position < id <= self.after.position and id not in self.after.pending}  # fmt: skip
        answered = sum(int(str(c.reply)) for c in self.commands("XACK") if c.answered != NEVER)
        by_unanswered = 0
        for command in self.commands("XACK"):
            if command.answered != NEVER:
                continue
            for id in ids_of(command):
                if all(ack is command for ack in self.acks[id]) and self.touches[id]:
                    self.cycle.happened[id_of(command)].add(id in gone)
                by_unanswered += id in gone and all(ack.answered == NEVER for ack in self.acks[id])
        if len(gone) - by_unanswered != answered:
            words = f"{len(gone)} entries were acked, {by_unanswered} of them without an answer"
            self._find("counters", f"{words}; the answers say {answered}")


# MULTI over several streams: what the cycles of each have found out about it.
def check_units(found: Iterable[dict[int, set[bool]]], commands: Iterable[Command], report: Report) -> None:
    happened: dict[int, set[bool]] = defaultdict(set)
    for one in found:
        for unit, outcomes in one.items():
            happened[unit] |= outcomes
    report.checked["unanswered that happened"] += sum(outcomes == {True} for outcomes in happened.values())
    report.checked["unanswered that did not"] += sum(outcomes == {False} for outcomes in happened.values())
    by_pipeline: dict[int, list[Command]] = defaultdict(list)
    for command in commands:
        if command.unit and happened.get(id_of(command)) == {True, False}:
            report.find("torn", f"MULTI of {command.text()}")
            happened[id_of(command)] = set()
        if command.pipeline and command.answered == NEVER:
            by_pipeline[command.pipeline].append(command)
    for pipeline in by_pipeline.values():
        outcomes = [happened.get(id_of(command), set()) for command in pipeline]
        for earlier, later in zip(outcomes, outcomes[1:]):
            if False in earlier and True in later:
                report.find("torn", f"the pipeline of {pipeline[0].text()}")
                break
