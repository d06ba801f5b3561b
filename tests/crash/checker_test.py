#!/usr/bin/env python3
"""The test of the test: logs of a run that went well are doctored, one defect at a time, and the checker names it."""

import copy
import unittest
from collections.abc import Callable

from checker import CLASSES, SEQUENCE, Answer, Checker, Entry, Frame, Notification, Report, Request, Session
from syncs import Trace

ANN, BOB = "ann", "bob"
EPOCHS = {ANN: "e1", BOB: "e2"}


def entry_id(n: int) -> int:
    return 1000 * SEQUENCE + n


class Run:
    """What was published, what both users' logs hold, and ann's phone in two sessions with a crash between them."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        logs: dict[str, list[Entry]] = {ANN: [], BOB: []}
        for n in range(1, 21):
            users = ((ANN,), (BOB,), (ANN, BOB))[n % 3]
            notification = Notification(f"body {n}", users, "normal" if n % 5 else "high")
            nid = f"500-{n}"
            if n % 4:
                self.requests.append(Request([notification], Answer.ACCEPTED, [nid]))
            else:  # in one array with the one before
                self.requests[-1].notifications.append(notification)
                self.requests[-1].nids.append(nid)
            for user in users:
                id = entry_id(len(logs[user]) + 1)
                logs[user].append(Entry(id, nid, notification.body, notification.priority, "unread"))
        # Without an answer: one that was accepted all the same, one that was not; and one that was refused.
        self.requests.append(Request([Notification("kept", (ANN, BOB), "low")]))
        for log in logs.values():
            log.append(Entry(entry_id(len(log) + 1), "500-21", "kept", "low", "unread"))
        self.requests.append(Request([Notification("gone", (ANN,), "normal")]))
        self.requests.append(Request([Notification("refused", (BOB,), "normal")], Answer.REFUSED))
        self.logs = {user: self._session(user, "", entries, start=0) for user, entries in logs.items()}
        self.marks = [(ANN, logs[ANN][0].nid)]
        self._replace(self.logs[ANN], 0, state="read")
        self.logs[ANN].unread -= 1
        # It got six, had acknowledged three and was told that two are stored; the server kept the three.
        first = self._session(ANN, "phone", logs[ANN][:6], start=0)
        second = self._session(ANN, "phone", logs[ANN][3:], start=entry_id(3))
        second.resume, second.known_stored, second.sent = "ok", entry_id(2), entry_id(3)
        self.phone = [first, second]

    @staticmethod
    def _session(user: str, device: str, entries: list[Entry], start: int) -> Session:
        session = Session(user, device, resume="fresh", start=start, epoch=EPOCHS[user], unread=len(entries))
        for at in range(0, len(entries), 2):
            pair = tuple(entries[at : at + 2])
            session.frames.append(Frame(session.end, pair[-1].id, pair))
        return session

    # Changes an entry of a session's first frame.
    @staticmethod
    def _replace(session: Session, at: int, **changes: object) -> None:
        frame = session.frames[0]
        entries = list(frame.entries)
        entries[at] = entries[at]._replace(**changes)
        session.frames[0] = frame._replace(entries=tuple(entries))

    def check(self) -> Report:
        checker = Checker(self.requests, self.logs.values())
        checker.check_device(self.phone)
        for user, nid in self.marks:
            checker.check_mark(user, nid, "read")
        return checker.report


def drop_entry(session: Session, frame: int) -> None:
    session.frames[frame] = session.frames[frame]._replace(entries=session.frames[frame].entries[1:])


def swap(session: Session) -> None:
    frame = session.frames[1]
    session.frames[1] = frame._replace(entries=frame.entries[::-1])


def lost(run: Run) -> None:
    drop_entry(run.logs[BOB], 1)


def lost_everywhere(run: Run) -> None:
    run.logs[ANN].frames.pop()
    run.phone[1].frames.pop()
    run.requests[-3].answer, run.requests[-3].nids = Answer.ACCEPTED, ["500-21"]


def never_published(run: Run) -> None:
    run._replace(run.logs[BOB], 0, nid="499-1", body="whence?")


def refused_and_kept(run: Run) -> None:
    run.requests[-3].answer = Answer.REFUSED


def kept_for_one(run: Run) -> None:
    run.logs[BOB].frames[-1] = run.logs[BOB].frames[-1]._replace(
        entries=tuple(e for e in run.logs[BOB].frames[-1].entries if e.body != "kept")
    )


def other_words(run: Run) -> None:
    run._replace(run.logs[BOB], 1, body="other words")


def other_priority(run: Run) -> None:
    run._replace(run.logs[BOB], 1, priority="low")


def swapped_users(run: Run) -> None:
    ann, bob = run.logs[ANN], run.logs[BOB]
    mine, others = ann.frames[0].entries[1], bob.frames[0].entries[0]
    run._replace(ann, 1, nid=others.nid, body=others.body, priority=others.priority)
    run._replace(bob, 0, nid=mine.nid, body=mine.body, priority=mine.priority)


def foreign_at_device(run: Run) -> None:
    others = run.logs[BOB].frames[0].entries[0]
    run._replace(run.phone[0], 0, nid=others.nid, body=others.body, priority=others.priority)


def foreign_early_copy(run: Run) -> None:
    run.phone[0].early.append(run.logs[BOB].frames[0].entries[0]._replace(id=0))


def second_early_copy(run: Run) -> None:
    run.phone[0].early += 2 * [run.phone[0].frames[0].entries[0]._replace(id=0)]


def same_nid_again(run: Run) -> None:
    run.requests[3].nids[0] = run.requests[1].nids[0]


def same_id_again(run: Run) -> None:  # what the phone got before the crash, and what got the id after it
    first = run.phone[0].frames[-1].entries[-1]
    run.phone[0].frames[-1] = run.phone[0].frames[-1]._replace(
        entries=(*run.phone[0].frames[-1].entries[:-1], first._replace(nid="500-21", body="kept", priority="low"))
    )


def twice_in_log(run: Run) -> None:
    log = run.logs[BOB]
    again = log.frames[0].entries[0]._replace(id=log.end + 1)
    log.frames.append(Frame(log.end, again.id, (again,)))
    log.unread += 1


def twice_in_session(run: Run) -> None:
    frame = run.phone[1].frames[1]
    run.phone[1].frames[1] = frame._replace(entries=(run.phone[1].frames[0].entries[0], *frame.entries))


def below_the_start(run: Run) -> None:
    frame = run.phone[1].frames[0]
    run.phone[1].frames[0] = frame._replace(entries=(run.phone[0].frames[0].entries[0], *frame.entries))


def order_at_device(run: Run) -> None:
    swap(run.phone[1])


def order_in_log(run: Run) -> None:
    swap(run.logs[BOB])


def order_of_nids(run: Run) -> None:
    first, second = run.logs[BOB].frames[0].entries
    run._replace(run.logs[BOB], 0, nid=second.nid, body=second.body, priority=second.priority)
    run._replace(run.logs[BOB], 1, nid=first.nid, body=first.body, priority=first.priority)


def missing_frame(run: Run) -> None:
    del run.phone[1].frames[1]


def missing_entry(run: Run) -> None:
    drop_entry(run.phone[1], 2)


def skipped_at_start(run: Run) -> None:
    run.phone[1].frames.pop(0)
    run.phone[1].start = run.phone[1].frames[0].prev


def not_kept(run: Run) -> None:
    run.phone[0].frames[-1] = run.phone[0].frames[-1]._replace(
        entries=(*run.phone[0].frames[-1].entries, Entry(entry_id(6) + 1, "500-22", "gone", "normal", "unread")),
        cur=entry_id(6) + 1,
    )


def sent_back(run: Run) -> None:
    run.phone[1].known_stored = entry_id(5)


def own_cursor_ignored(run: Run) -> None:
    run.phone[1].given = entry_id(6)


def told_to_start_over(run: Run) -> None:
    run.phone[1].resume = "reset"


def other_epoch(run: Run) -> None:
    run.phone[1].epoch = "e3"


def mark_gone(run: Run) -> None:
    run._replace(run.logs[ANN], 0, state="unread")
    run.logs[ANN].unread += 1


def wrong_count(run: Run) -> None:
    run.logs[ANN].unread += 1


# The defect, and the class that it must be found as.
DEFECTS: tuple[tuple[Callable[[Run], None], str], ...] = (
    (lost, "lost"), (lost_everywhere, "lost"), (never_published, "unknown"), (refused_and_kept, "unknown"),
    (kept_for_one, "torn"), (other_words, "altered"), (other_priority, "altered"), (swapped_users, "foreign"),
    (foreign_at_device, "foreign"), (foreign_early_copy, "foreign"), (second_early_copy, "duplicate"),
    (same_nid_again, "reused"), (same_id_again, "reused"), (twice_in_log, "duplicate"),
    (twice_in_session, "duplicate"), (below_the_start, "duplicate"), (order_at_device, "reordered"),
    (order_in_log, "reordered"), (order_of_nids, "reordered"), (missing_frame, "hole"), (missing_entry, "hole"),
    (skipped_at_start, "hole"), (not_kept, "vanished"), (sent_back, "forgotten"), (own_cursor_ignored, "forgotten"),
    (told_to_start_over, "reset"), (other_epoch, "reset"), (mark_gone, "mark"), (wrong_count, "mark"),
)  # fmt: skip


class CheckerTest(unittest.TestCase):
    def test_a_good_run_is_good_and_counted(self) -> None:
        report = Run().check()
        self.assertEqual(report.findings, {})
        self.assertEqual(report.accepted + report.unanswered_kept, report.in_logs)
        self.assertEqual((report.unanswered_kept, report.unanswered_gone, report.refused), (2, 1, 1))
        self.assertEqual((report.sessions, report.repeated), (2, 3))

    def test_every_defect_is_named(self) -> None:
        good = Run()
        for doctor, kind in DEFECTS:
            with self.subTest(doctor.__name__):
                run = copy.deepcopy(good)
                doctor(run)
                self.assertGreater(run.check().findings[kind], 0, run.check().text())

    def test_there_is_a_defect_of_every_class(self) -> None:
        self.assertEqual({kind for _, kind in DEFECTS}, set(CLASSES))


# A publish over socket 20 and one over socket 21, which comes while the first is synced.
TRACE = """\
7  recvfrom(20<TCP:[1->2]>, "POST /v1/notificatio"..., 65536, 0, NULL, NULL) = 179
9  write(14</d/000016.log>, "..."..., 478) = 478
9  fdatasync(14</d/000016.log> <unfinished ...>
8  recvfrom(21<TCP:[1->3]>,  <unfinished ...>
8  <... recvfrom resumed>"POST /v1/notificatio"..., 65536, 0, NULL, NULL) = 179
9  <... fdatasync resumed>) = 0 (DELAYED)
7  sendto(20<TCP:[1->2]>, "HTTP/1.1 202 Accepte"..., 172, MSG_NOSIGNAL, NULL, 0) = 172
9  write(14</d/000016.log>, "..."..., 478) = 478
9  fdatasync(14</d/000016.log>) = 0
8  sendto(21<TCP:[1->3]>, "HTTP/1.1 202 Accepte"..., 172, MSG_NOSIGNAL, NULL, 0 <unfinished ...>
8  <... sendto resumed>) = 172
""".splitlines()


class TraceTest(unittest.TestCase):
    def offences(self, *order: int) -> int:
        return len(Trace().read(TRACE[at] for at in order).offences)

    def test_answers_after_their_sync_are_good(self) -> None:
        trace = Trace().read(TRACE)
        self.assertEqual((trace.answers, trace.syncs, trace.offences), (2, 2, []))

    def test_answers_before_their_sync_are_seen(self) -> None:
        self.assertEqual(self.offences(0, 1, 2, 3, 4, 6, 5, 7, 8, 9, 10), 1)  # while the sync runs
        self.assertEqual(self.offences(0, 1, 2, 3, 4, 5, 6, 9, 10, 7, 8), 1)  # after the sync of the one before
        self.assertEqual(self.offences(0, 1, 2, 3, 4, 5, 6, 7, 9, 10), 1)  # written, and not synced
        self.assertEqual(self.offences(0, 6), 1)

    def test_a_sync_that_failed_is_none(self) -> None:
        failed = [line.replace("= 0", "= -1 EIO (Input/output error)") for line in TRACE]
        self.assertEqual(len(Trace().read(failed).offences), 2)


if __name__ == "__main__":
    unittest.main()
