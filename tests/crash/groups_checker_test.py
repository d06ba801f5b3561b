#!/usr/bin/env python3
"""The test of the test: the record of a cycle that went well is doctored, one defect at a time, and the checker of
groups.py names it."""

import copy
import unittest
from collections.abc import Callable

from groups_checker import (
    CLASSES, NEVER, Adds, Command, Cycle, Deliveries, Group, Pending, Report, Reports, Stream, check_units,
)  # fmt: skip

CALM, BUSY = "calm", "busy"
ANN, BOB = "ann", "bob"
STRICT, SHIFTING = "strict", "shifting"


def entry(n: int) -> tuple[str, list[str]]:
    return f"5-{n}", ["message", f"message {n}"]


class Run:
    """Two streams with 20 entries each, of which ten were there before. `strict` has read 16 of them, acked some."""

    def __init__(self) -> None:
        self.moment = 0
        self.commands: list[Command] = []
        self.history: list[Command] = []  # XADDs before the cycle
        self.before = {key: self._stream(10, 4, pending={2: (ANN, 1), 3: (BOB, 2)}) for key in (CALM, BUSY)}
        self.after = {key: self._stream(20, 16, pending={}) for key in (CALM, BUSY)}
        for key in (CALM, BUSY):
            for n in range(1, 11):
                self.history.append(self._add(key, n))
        self.history, self.commands = self.commands, []
        for key in (CALM, BUSY):
            for n in range(11, 19):
                self._add(key, n)
            given = [entry(n) for n in range(5, 13)]
            self.say(ANN, ("XREADGROUP", "GROUP", STRICT, ANN, "COUNT", "8", "STREAMS", key, ">"), [[key, given]])
            # One of hers is acked, one claimed by bob, who gives another back; the rest stays hers.
            self.say(ANN, ("XACK", key, STRICT, "5-5", "5-2"), 2)
            self.say(BOB, ("XCLAIM", key, STRICT, BOB, "0", "5-6"), [list(entry(6))])
            self.say(BOB, ("XNACK", key, STRICT, "FAIL", "IDS", "1", "5-3"), 1)
            pending = self.after[key].groups[STRICT].pending
            for n in range(7, 13):
                pending[5, n] = Pending(ANN, 1)
            pending[5, 6] = Pending(BOB, 2)
            pending[5, 3] = Pending("", 2)
            # Under way when the server was killed, and they have happened: two XADDs of a MULTI, a delivery and an ack.
        self.say("tx", ("XADD", CALM, "*", "message", "message 19"), unit=7)
        self.say("tx", ("XADD", BUSY, "*", "message", "message 19"), unit=7)
        self.say("p", ("XADD", CALM, "*", "message", "message 20"), pipeline=8)
        self.say("p", ("XADD", CALM, "*", "message", "message 21"), pipeline=8)
        self.say("q", ("XADD", BUSY, "*", "message", "message 20"))
        for key in (CALM, BUSY):
            self.say(BOB, ("XREADGROUP", "GROUP", STRICT, BOB, "COUNT", "4", "STREAMS", key, ">"))
            for n in range(13, 17):
                self.after[key].groups[STRICT].pending[5, n] = Pending(BOB, 1)
            self.say(ANN, ("XACK", key, STRICT, "5-11", "5-12"))
            for n in (11, 12):
                del self.after[key].groups[STRICT].pending[5, n]
        self.trim = self.say("trimmer", ("XTRIM", BUSY, "MAXLEN", "=", "18"), 2)
        for n in (1, 2):
            del self.after[BUSY].entries[5, n]
        self.delete = self.say("trimmer", ("XDEL", BUSY, "5-9"), 1)
        del self.after[BUSY].entries[5, 9]
        for key in (CALM, BUSY):
            moved = self.after[key].groups[STRICT]
            self.after[key].groups[SHIFTING] = Group((5, 2), 2, None, {}, {ANN})
            self.before[key].groups[SHIFTING] = Group((0, 0), 0, None, {}, {ANN, "passing"})
            self.say("mover", ("XGROUP", "SETID", key, SHIFTING, "5-2"), "OK")
            self.say("mover", ("XGROUP", "DELCONSUMER", key, SHIFTING, "passing"), 0)
            moved.entries_read, moved.lag = 16, 4

    @staticmethod
    def _stream(count: int, read: int, pending: dict[int, tuple[str, int]]) -> Stream:
        entries = {(5, n): f"message {n}" for n in range(1, count + 1)}
        group = Group((5, read), read, count - read, {(5, n): Pending(*one) for n, one in pending.items()}, {ANN, BOB})
        return Stream(entries, (5, count), count, {STRICT: group})

    def say(self, who: str, words: tuple[str, ...], reply: object = None, unit: int = 0, pipeline: int = 0) -> Command:
        self.moment += 2
        answered = NEVER if reply is None else self.moment + 1
        command = Command(who, words, self.moment, answered, reply, unit, pipeline)
        self.commands.append(command)
        return command

    def _add(self, key: str, n: int) -> Command:
        return self.say("p", ("XADD", key, "*", "message", f"message {n}"), f"5-{n}")

    def strict(self, key: str = CALM) -> Group:
        return self.after[key].groups[STRICT]

    def find(self, *words: str) -> Command:
        return next(c for c in self.commands if all(word in c.words for word in words))

    def report(self, deliveries: Deliveries = Deliveries.ARE_KEPT) -> Report:
        report = Report()
        adds = Adds(report)
        named = [c for c in self.history + self.commands if c.name == "XADD"]
        # One message stands under one key only.
        for command in named:
            words = command.words[:-1] + (f"{command.words[1]} {command.words[-1]}",)
            adds.take(Command(command.consumer, words, command.sent, command.answered, command.reply))
        adds.bind = lambda *_: None  # type: ignore[method-assign] # both streams have the same messages here
        for key in (CALM, BUSY):
            adds.check_order(c for c in named if c.words[1] == key)
        found = []
        for key in (CALM, BUSY):
            cycle = Cycle(key, self.before[key], self.after[key], self.commands, adds, report, {STRICT}, key == CALM,
                          deliveries)  # fmt: skip
            found.append(cycle.check())
        check_units(found, self.commands, report)
        return report


class GroupsCheckerTest(unittest.TestCase):
    def names(self, kind: str, doctor: Callable[[Run], object]) -> None:
        run = Run()
        doctor(run)
        report = run.report()
        self.assertIn(kind, report.findings, f"\n{report.text()}")
        self.assertIn(kind, CLASSES)

    def test_a_good_run(self) -> None:
        report = Run().report()
        self.assertFalse(report.findings, f"\n{report.text()}")
        self.assertGreater(report.checked["unanswered that happened"], 0)
        self.assertGreater(report.checked["unanswered that did not"], 0)

    def test_entries(self) -> None:
        self.names("lost", lambda run: run.after[CALM].entries.pop((5, 12)))
        self.names("lost", lambda run: run.after[BUSY].entries.pop((5, 14)))  # not from the head
        self.names("lost", lambda run: run.after[BUSY].entries.pop((5, 3)))  # more than the trim allows
        self.names("unknown", lambda run: run.after[CALM].entries.update({(5, 22): "of nobody"}))
        self.names("altered", lambda run: run.after[CALM].entries.update({(5, 4): "other"}))
        self.names("undeleted", lambda run: run.after[BUSY].entries.update({(5, 9): "message 9"}))
        self.names("undeleted", lambda run: setattr(run.trim, "words", ("XTRIM", BUSY, "MAXLEN", "=", "12")))
        self.names("undeleted", lambda run: setattr(run.trim, "words", ("XTRIM", BUSY, "MINID", "=", "5-5")))
        self.names("reused", lambda run: setattr(run.find("message 14"), "reply", "5-10"))

    def test_heads(self) -> None:
        self.names("backwards", lambda run: setattr(run.after[BUSY], "last_id", (5, 17)))
        self.names("counters", lambda run: setattr(run.after[CALM], "last_id", (5, 30)))
        self.names("backwards", lambda run: setattr(run.after[CALM], "added", 19))
        self.names("counters", lambda run: setattr(run.after[CALM], "added", 21))
        self.names("counters", lambda run: setattr(run.after[BUSY], "added", 21))

    def test_acks(self) -> None:
        self.names("unacked", lambda run: run.strict().pending.update({(5, 5): Pending(ANN, 1)}))
        self.names("unacked", lambda run: run.strict(BUSY).pending.update({(5, 2): Pending(ANN, 1)}))
        self.names("torn", lambda run: run.strict().pending.update({(5, 11): Pending(ANN, 1)}))
        self.names("counters", lambda run: setattr(run.find("XACK", CALM, "5-5"), "reply", 1))

    def test_deliveries(self) -> None:
        self.names("vanished", lambda run: run.strict(BUSY).pending.pop((5, 7)))
        self.names("vanished", lambda run: run.strict().pending.pop((5, 14)))
        self.names("undelivered", lambda run: setattr(run.strict(), "position", (5, 10)))
        self.names("conjured", lambda run: run.strict(BUSY).pending.update({(5, 1): Pending(ANN, 1)}))
        self.names("conjured", lambda run: run.strict(BUSY).pending.update({(4, 1): Pending(ANN, 1)}))
        self.names("conjured", lambda run: (setattr(run.strict(), "position", (5, 17)),
                                            run.strict().pending.update({(5, 17): Pending(BOB, 1)})))  # fmt: skip
        self.names("redelivered", lambda run: run.find("XREADGROUP", ANN).reply[0][1].append(entry(4)))
        self.names("owner", lambda run: run.strict().pending.update({(5, 6): Pending(ANN, 2)}))
        self.names("owner", lambda run: run.strict().pending.update({(5, 7): Pending("carl", 1)}))
        self.names("deliveries", lambda run: run.strict().pending.update({(5, 6): Pending(BOB, 0)}))
        self.names("deliveries", lambda run: run.strict().pending.update({(5, 7): Pending(ANN, 9)}))
        self.names("counters", lambda run: setattr(run.strict(), "lag", 5))
        self.names("counters", lambda run: setattr(run.strict(), "entries_read", 15))
        self.names("backwards", lambda run: setattr(run.strict(), "position", (5, 3)))

    def test_wholes(self) -> None:
        def half(run: Run) -> None:  # of the MULTI
            run.after[CALM].entries = {id: m for id, m in run.after[CALM].entries.items() if m != "message 19"}

        def later(run: Run) -> None:  # of the pipeline
            run.after[CALM].entries[5, 20] = "message 21"

        self.names("torn", half)
        self.names("torn", later)

    def test_deleted_consumers(self) -> None:
        self.names("ghost", lambda run: run.after[CALM].groups[SHIFTING].consumers.add("passing"))

    # A power loss may take the record of a delivery, not that of an ack.
    def test_lost_deliveries(self) -> None:
        run = Run()
        group = run.strict(BUSY)
        group.position = (5, 6)
        group.pending = {id: one for id, one in group.pending.items() if id <= (5, 6)}
        group.pending[5, 6] = Pending(BOB, 2)
        self.assertIn("undelivered", run.report().findings)
        self.assertFalse(run.report(Deliveries.MAY_BE_LOST).findings, run.report(Deliveries.MAY_BE_LOST).text())
        group.position = (5, 4)
        self.assertIn("undelivered", run.report(Deliveries.MAY_BE_LOST).findings)  # 5-5 was acked


class ReportsTest(unittest.TestCase):
    """The server's answers about one stream must agree."""

    def answers(self) -> dict:
        whole = [list(entry(n)) for n in range(1, 6)]
        listed = [["5-1", ANN, 7, 2], ["5-3", "", -1, 1]]
        full_group = ["name", STRICT, "last-delivered-id", "5-3", "entries-read", 3, "lag", 2, "pel-count", 2, "pending",
                      [["5-1", ANN, 1, 2], ["5-3", "", 1, 1]], "consumers",
                      [["name", ANN, "pel-count", 1, "pending", [["5-1", 1, 2]]]]]  # fmt: skip
        return {
            "full": ["length", 5, "last-generated-id", "5-5", "entries-added", 5, "entries", copy.deepcopy(whole),
                     "groups", [full_group]],  # fmt: skip
            "whole": whole,
            "length": 5,
            "groups": [["name", STRICT, "consumers", 1, "pending", 2, "last-delivered-id", "5-3", "entries-read", 3,
                        "lag", 2]],  # fmt: skip
            "summary": [2, "5-1", "5-3", [[ANN, "1"]]],
            "listed": listed,
            "consumers": [["name", ANN, "pending", 1]],
        }

    def findings(self, answers: dict) -> Report:
        report = Report()
        reports = Reports(CALM, answers["full"], answers["whole"], answers["length"], answers["groups"], report)
        reports.add_group(STRICT, answers["summary"], answers["listed"], answers["consumers"])
        return report

    def test_they_agree(self) -> None:
        report = self.findings(self.answers())
        self.assertFalse(report.findings, report.text())

    def test_each_is_looked_at(self) -> None:
        def change(place: list[object], value: object) -> None:
            answers = self.answers()
            at = answers
            for step in place[:-1]:
                at = at[step]  # type: ignore[index]
            at[place[-1]] = value  # type: ignore[index]
            self.assertIn("counters", self.findings(answers).findings, f"{place} {value}")

        group = ["full", 9, 0]
        for place in (["length"], ["full", 1], ["summary", 0], ["groups", 0, 5], [*group, 9], ["groups", 0, 3]):
            change(place, 7)
        change(["summary", 1], "5-2")
        change(["summary", 2], "5-4")
        change(["summary", 3, 0, 1], "2")
        change(["listed", 0, 1], BOB)
        change([*group, 11, 0, 3], 5)
        change([*group, 13, 0, 3], 2)
        change([*group, 13, 0, 5, 0, 0], "5-2")
        change([*group, 3], "5-2")
        change([*group, 5], 1)
        change(["groups", 0, 11], 1)
        change(["consumers", 0, 3], 3)
        change(["full", 5], 4)
        change(["full", 3], "5-4")


if __name__ == "__main__":
    unittest.main()
