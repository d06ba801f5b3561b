"""The one checker: what producers were answered, against what devices saw, against what the logs hold at the end.

Three logs go in: every request of the producers with its answer; every session of the devices, frame by frame; and for
each user one session of a fresh device that has read the whole log after it all. Out come findings, each of one class:

  lost        accepted (202), but not in the log of one of its users
  unknown     in a log, although it was never published, or was refused
  torn        a request without an answer is in the logs in part: it is one commit, so it is all there or not at all
  altered     in a log with other content than was published
  foreign     in the log, or at a device, of a user whom it was not for
  reused      an id that stood for two things: a nid, or the id of an entry of a log
  duplicate   twice in a log; or again at a device that need not get it again: in one session, or at or below a cursor
              that the device had given, or had been told is stored
  reordered   ids of a log or a session that do not ascend; nids of a log that do not, within a priority
  hole        `prev` is not where the device stands; or it got past an entry of the log without getting it
  vanished    a device got it, and the log does not have it
  forgotten   a session starts below a cursor that was stored for its device, or not at the cursor that it gave
  reset       a session was answered `gap` or `reset`, or another epoch
  mark        a confirmed mark is not there, or the counts of the log are not those of its entries
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

CLASSES = (
    "lost", "unknown", "torn", "altered", "foreign", "reused", "duplicate", "reordered", "hole", "vanished",
    "forgotten", "reset", "mark",
)  # fmt: skip
MAX_EXAMPLES = 5  # of each class, in words
SEQUENCE = 1 << 64  # an entry id `<ms>-<n>` as one number: ms * 2^64 + n


def parse_id(text: str) -> int:
    ms, _, n = text.partition("-")
    return int(ms) * SEQUENCE + int(n)


def id_text(number: int) -> str:
    return f"{number // SEQUENCE}-{number % SEQUENCE}"


class Answer(Enum):
    ACCEPTED = "accepted"
    REFUSED = "refused"
    NONE = "none"  # the connection ended first: it may have been accepted or not


class Notification(NamedTuple):
    body: str  # unlike any other's: it tells the notification
    users: tuple[str, ...]
    priority: str


@dataclass(slots=True)
class Request:
    """One POST of a producer."""

    notifications: list[Notification]
    answer: Answer = Answer.NONE
    nids: list[str] = field(default_factory=list)  # with ACCEPTED, in order


class Entry(NamedTuple):
    """A notification as a frame brings it."""

    id: int
    nid: str
    body: str
    priority: str
    state: str


class Frame(NamedTuple):
    prev: int
    cur: int
    entries: tuple[Entry, ...]  # none: a state change, or entries that are passed over


@dataclass(slots=True)
class Session:
    user: str
    device: str
    # What the device knew as it said hello.
    given: int | None = None  # the cursor in the hello
    known_stored: int = 0  # the highest cursor that it had been told is stored, or had given in a hello
    sent: int = 0  # the highest cursor that it had ever acknowledged
    # What it was answered; resume is "" if it got no welcome.
    resume: str = ""
    start: int = 0
    epoch: str = ""
    unread: int = 0
    frames: list[Frame] = field(default_factory=list)
    early: list[Entry] = field(default_factory=list)  # copies that came before their order, without an id

    @property
    def end(self) -> int:
        return self.frames[-1].cur if self.frames else self.start


@dataclass(slots=True)
class Report:
    findings: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    # One for each user of a notification: what a log should hold.
    accepted: int = 0  # and in the log
    unanswered_kept: int = 0
    unanswered_gone: int = 0
    refused: int = 0
    in_logs: int = 0
    delivered: int = 0  # to devices, repeats included
    repeated: int = 0  # between delivery and stored receipt, which is allowed
    sessions: int = 0

    def find(self, kind: str, words: str) -> None:
        assert kind in CLASSES
        self.findings[kind] += 1
        if len(self.examples[kind]) < MAX_EXAMPLES:
            self.examples[kind].append(words)

    @property
    def clean(self) -> bool:
        return not self.findings

    def text(self) -> str:
        lines = [
            f"accepted {self.accepted}, of those without an answer {self.unanswered_kept} kept and "
            f"{self.unanswered_gone} gone, refused {self.refused}; in the logs {self.in_logs}",
            f"delivered {self.delivered} in {self.sessions} sessions, of those repeated {self.repeated}",
            ", ".join(f"{kind} {self.findings[kind]}" for kind in CLASSES),
        ]
        lines += [f"  {kind}: {words}" for kind in CLASSES for words in self.examples.get(kind, ())]
        return "\n".join(lines)


class Published:
    """What the producers' log says of each notification, found by its body or its nid."""

    def __init__(self, requests: Iterable[Request], report: Report):
        self.by_body: dict[str, tuple[Notification, Request]] = {}
        self.nid_of: dict[str, str] = {}  # body -> nid
        self.body_of: dict[str, str] = {}  # nid -> body
        self.report = report
        for request in requests:
            for notification in request.notifications:
                assert notification.body not in self.by_body, "the test must not publish one body twice"
                self.by_body[notification.body] = (notification, request)
            for nid, notification in zip(request.nids, request.notifications):
                self.bind(nid, notification.body, "the answer to a publish")

    # A nid names one notification, and that has no other nid.
    def bind(self, nid: str, body: str, where: str) -> None:
        for table, name, meaning in ((self.body_of, nid, body), (self.nid_of, body, nid)):
            known = table.setdefault(name, meaning)
            if known != meaning:
                self.report.find("reused", f"in {where}: {name[:60]!r} is {meaning[:60]!r}, and was {known[:60]!r}")

    # One entry as somebody of `user` got it.
    def check(self, user: str, entry: Entry, where: str) -> None:
        found = self.by_body.get(entry.body)
        if found is None:
            body = self.body_of.get(entry.nid)
            kind = "unknown" if body is None else "altered"
            return self.report.find(kind, f"{entry.nid} {entry.body[:60]!r} in {where}")
        notification, request = found
        if request.answer is Answer.REFUSED:
            self.report.find("unknown", f"{entry.nid} {entry.body[:60]!r} in {where}: it had been refused")
        if user not in notification.users:
            self.report.find("foreign", f"{entry.nid} {entry.body[:60]!r} in {where}: it was for {notification.users}")
        if entry.priority != notification.priority:
            self.report.find("altered", f"{entry.nid} in {where}: {entry.priority}, not {notification.priority}")
        self.bind(entry.nid, entry.body, where)


class UserLog:
    """A user's log at the end, as a fresh device has read it."""

    def __init__(self, session: Session, published: Published, report: Report):
        self.epoch = session.epoch
        self.ids = sorted(entry.id for frame in session.frames for entry in frame.entries)
        self.nids: dict[int, str] = {}  # by id
        self.states: dict[str, str] = {}  # by nid
        self.bodies: set[str] = set()
        where = f"the log of {session.user}"
        last_nid: dict[str, int] = defaultdict(int)
        for frame in session.frames:
            for entry in frame.entries:
                published.check(session.user, entry, where)
                if entry.body in self.bodies:
                    report.find("duplicate", f"{entry.nid} {entry.body[:60]!r} is twice in {where}")
                nid = parse_id(entry.nid)
                if nid < last_nid[entry.priority]:
                    report.find("reordered", f"{entry.nid} in {where} follows {id_text(last_nid[entry.priority])}")
                last_nid[entry.priority] = nid
                self.bodies.add(entry.body)
                self.nids[entry.id] = entry.nid
                self.states[entry.nid] = entry.state
        unread = sum(state == "unread" for state in self.states.values())
        if unread != session.unread:
            report.find("mark", f"{where} counts {session.unread} unread, and has {unread}")
        report.in_logs += len(self.ids)


class Checker:
    def __init__(self, requests: Iterable[Request], logs: Iterable[Session]):
        self.report = Report()
        self.requests = list(requests)
        self.published = Published(self.requests, self.report)
        self.logs: dict[str, UserLog] = {}
        for session in logs:
            self.logs[session.user] = UserLog(session, self.published, self.report)
            self._check_frames(session, "the whole log")
            if session.start != 0:
                self.report.find("hole", f"the log of {session.user} starts at {id_text(session.start)}")
        for request in self.requests:
            self._check_request(request)

    # All of it in the logs, if it was accepted; all or nothing, if there was no answer.
    def _check_request(self, request: Request) -> None:
        places = [(n, user) for n in request.notifications for user in n.users]
        missing = [(n, user) for n, user in places if user not in self.logs or n.body not in self.logs[user].bodies]
        report = self.report
        if request.answer is Answer.ACCEPTED:
            report.accepted += len(places) - len(missing)
            for notification, user in missing:
                nid = self.published.nid_of.get(notification.body, "?")
                report.find("lost", f"{nid} {notification.body[:60]!r} for {user}")
        elif request.answer is Answer.REFUSED:
            report.refused += len(places)
        elif 0 < len(missing) < len(places):
            notification, user = missing[0]
            report.find("torn", f"{len(missing)} of {len(places)}, such as {notification.body[:60]!r} for {user}")
        else:
            report.unanswered_gone += len(missing)
            report.unanswered_kept += len(places) - len(missing)

    # A device's sessions in the order in which they were; each of one device's goes on from the one before.
    def check_device(self, sessions: Iterable[Session]) -> None:
        got: set[str] = set()
        for session in sessions:
            if not session.resume:
                continue
            self.report.sessions += 1
            self._check_start(session)
            self._check_frames(session, session.device)
            self._check_against_log(session)
            entries = [entry for frame in session.frames for entry in frame.entries]
            self.report.delivered += len(entries)
            for entry in entries:
                self.report.repeated += entry.nid in got
                got.add(entry.nid)

    def check_mark(self, user: str, nid: str, state: str) -> None:
        kept = self.logs[user].states.get(nid)
        if kept != state:
            self.report.find("mark", f"{nid} of {user} is {kept}, and was confirmed as {state}")

    def _check_start(self, session: Session) -> None:
        where = f"{session.device} of {session.user}"
        if session.resume not in ("ok", "fresh") or session.epoch != self.logs[session.user].epoch:
            return self.report.find("reset", f"{where} was answered {session.resume}, epoch {session.epoch}")
        lowest, highest = session.known_stored, max(session.known_stored, session.sent)
        if session.given is not None:
            lowest = highest = session.given
        if session.start < lowest:
            self.report.find("forgotten", f"{where} starts at {id_text(session.start)}, not at {id_text(lowest)}")
        if session.start > highest:
            self.report.find("hole", f"{where} starts at {id_text(session.start)}, and had acked {id_text(highest)}")

    # What a session can tell by itself.
    def _check_frames(self, session: Session, device: str) -> None:
        where = f"{device} of {session.user}"
        overtook: set[str] = set()
        for entry in session.early:
            self.published.check(session.user, entry, f"an early copy at {where}")
            if entry.nid in overtook:
                self.report.find("duplicate", f"a second early copy of {entry.nid} at {where}")
            if entry.priority not in ("high", "critical"):
                self.report.find("reordered", f"{entry.nid} at {where} came early, and is not urgent")
            overtook.add(entry.nid)
        cursor = last = session.start
        seen: set[str] = set()
        for frame in session.frames:
            if frame.prev != cursor:
                self.report.find("hole", f"{where}: prev is {id_text(frame.prev)}, the cursor {id_text(cursor)}")
            if frame.cur <= cursor:
                self.report.find("reordered", f"{where}: cur {id_text(frame.cur)} after {id_text(cursor)}")
            cursor = frame.cur
            for entry in frame.entries:
                if entry.nid in seen or entry.id <= min(session.start, last):
                    self.report.find("duplicate", f"{entry.nid} at {where} again")
                elif not last < entry.id <= cursor:
                    self.report.find("reordered", f"{where}: entry {id_text(entry.id)} after {id_text(last)}")
                seen.add(entry.nid)
                last = entry.id

    # What the device got is what the log has between the session's start and its end.
    def _check_against_log(self, session: Session) -> None:
        log = self.logs[session.user]
        where = f"{session.device} of {session.user}"
        got: set[int] = set()
        for frame in session.frames:
            for entry in frame.entries:
                self.published.check(session.user, entry, where)
                nid = log.nids.get(entry.id)
                if entry.body not in log.bodies:
                    self.report.find("vanished", f"{entry.nid} {entry.body[:60]!r} at {where}")
                if nid != entry.nid and (nid is not None or entry.body in log.bodies):
                    self.report.find("reused", f"id {id_text(entry.id)} is {entry.nid} at {where}, {nid} in the log")
                got.add(entry.id)
        for id in log.ids[bisect_right(log.ids, session.start) : bisect_right(log.ids, session.end)]:
            if id not in got:
                self.report.find("hole", f"{where} got past {log.nids[id]}")
