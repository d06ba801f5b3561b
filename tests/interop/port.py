"""What only this port must do: who may do what, rude clients, bounded memory, what is lost and what is not.

    port.py TOCSIN [NAME]      NAME: part of the names of the tests to run
"""

import json
import select
import socket
import sys
import threading
import time
import urllib.request

from resp import Client, Error, Map, Null, NullArray, Simple, encode
from servers import API_KEY, JWT_SECRET, Tocsin

assert JWT_SECRET
STREAM = "notifications_stream"
OWN = "tocsin"
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def check(condition: object, what: object = "") -> None:
    if not condition:
        raise AssertionError(what)


def is_error(reply: object, start: str) -> None:
    check(isinstance(reply, Error) and reply.startswith(start), f"wanted -{start}..., got {reply!r}")


def inbox(tocsin: Tocsin, user: str) -> list[str]:
    headers = {"Authorization": f"Bearer {tocsin.token(user)}"}
    texts: list[str] = []
    query = "since=all"
    while True:
        url = f"http://127.0.0.1:{tocsin.http_port}/v1/pull?{query}"
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as response:
            answer = json.load(response)
        more = [item["body"] for frame in answer["frames"] for item in frame.get("items", [])]
        if not more:
            return texts
        texts += more
        query = f"cur={answer['cur']}"


def publish_over_http(tocsin: Tocsin, user: str, text: str) -> str:
    body = json.dumps({"user_id": user, "message": text}).encode()
    headers = {"x-api-key": API_KEY, "content-type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{tocsin.http_port}/v1/notifications", body, headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)["items"][0]["nid"]


def figure(client: Client, name: str) -> int:
    for line in bytes(client.ask("INFO")).decode().splitlines():
        if line.startswith(name + ":"):
            return int(line.split(":")[1])
    raise AssertionError(f"INFO says nothing of {name}")


def wait_for(what, condition) -> None:
    end = time.monotonic() + 60
    while not condition():
        check(time.monotonic() < end, what)


def resident_kib(tocsin: Tocsin) -> int:
    with open(f"/proc/{tocsin.process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


# Both doors lead to one stream.


@test
def one_truth(tocsin: Tocsin) -> None:
    client = Client(tocsin.port)
    check(client.ask("XGROUP", "CREATE", STREAM, "team", "$", "MKSTREAM") == "OK")
    nid = publish_over_http(tocsin, "ann", "over HTTP")
    id_ = client.ask("XADD", STREAM, "*", "user_id", "ann", "message", "over XADD")
    read = client.ask("XREADGROUP", "GROUP", "team", "c", "STREAMS", STREAM, ">")
    check([entry[0] for entry in read[0][1]] == [nid.encode(), id_], read)
    check(inbox(tocsin, "ann") == ["over HTTP", "over XADD"], inbox(tocsin, "ann"))
    client.ask("XADD", STREAM, "*", "message", "for nobody")
    dead = client.ask("XRANGE", STREAM + ":dead", "-", "+")
    check(len(dead) == 1 and b"tocsin_reason" in dead[0][1], dead)


@test
def what_a_client_trims_was_routed_before(tocsin: Tocsin) -> None:
    client = Client(tocsin.port)
    client.send(
        encode("XADD", STREAM, "MAXLEN", "0", "*", "user_id", "bob", "message", "trimmed by its own XADD")
        + encode("XADD", STREAM, "*", "user_id", "bob", "message", "trimmed at once")
        + encode("XTRIM", STREAM, "MAXLEN", "0")
        + encode("XADD", STREAM, "*", "user_id", "bob", "message", "with the whole stream")
        + encode("DEL", STREAM)
        + encode("XADD", STREAM, "*", "user_id", "bob", "message", "flushed")
        + encode("FLUSHALL")
        + encode("XADD", STREAM, "*", "user_id", "bob", "message", "with its group destroyed")
        + encode("XGROUP", "DESTROY", STREAM, OWN)
        + encode("XADD", STREAM, "*", "user_id", "bob", "message", "last")
    )
    replies = [client.read() for _ in range(10)]
    check(not any(isinstance(reply, Error) for reply in replies), replies)
    first_nid = replies[0]
    check(client.ask("XINFO", "STREAM", STREAM)[7] > first_nid, "its ids go on after all that")
    for text in ("trimmed by its own XADD", "trimmed at once", "with the whole stream", "flushed", "with its group destroyed", "last"):
        check(text in inbox(tocsin, "bob"), (text, inbox(tocsin, "bob")))


@test
def ids_far_ahead_are_refused_on_ingest_streams(tocsin: Tocsin) -> None:
    client = Client(tocsin.port)
    is_error(client.ask("EXPIRE", STREAM, "10"), "ERR an ingest stream cannot expire")
    is_error(client.ask("XSETID", STREAM, "0-1"), "ERR The ID specified in XSETID is smaller")
    far = int(time.time() * 1000) + 2 * 3_600_000
    for id_ in (f"{far}-0", f"{far}-*", "18446744073709551615-0"):
        is_error(client.ask("XADD", STREAM, id_, "user_id", "ann", "message", "x"), "ERR")
    is_error(client.ask("XSETID", STREAM, f"{far}-0"), "ERR")
    check(client.ask("XADD", "other", f"{far}-0", "a", "b") == f"{far}-0".encode())
    near = int(time.time() * 1000) + 60_000
    check(client.ask("XADD", STREAM, f"{near}-0", "user_id", "cid", "message", "near") == f"{near}-0".encode())


# Who may do what.


@test
def scopes(tocsin: Tocsin) -> None:
    keys = "pub:publish-key-of-the-test:publish,con:consume-key-of-the-test:consume,see:read-key-of-the-test:read,root:admin-key-of-the-test:admin"
    with Tocsin(tocsin.binary, {"redis_auth": "required", "api_keys": keys}) as closed:
        nobody, pub, con, see, root = (Client(closed.port) for _ in range(5))
        is_error(nobody.ask("PING"), "NOAUTH")
        is_error(nobody.ask("XADD", STREAM, "*", "a", "b"), "NOAUTH")
        is_error(nobody.ask("HELLO", "3"), "NOAUTH HELLO must be called")
        is_error(nobody.ask("AUTH", "wrong"), "WRONGPASS")
        is_error(nobody.ask("AUTH", "pub", "read-key-of-the-test"), "WRONGPASS")
        is_error(nobody.ask("HELLO", "3", "AUTH", "default", "wrong"), "WRONGPASS")
        check(pub.ask("AUTH", "publish-key-of-the-test") == "OK")
        check(con.ask("AUTH", "con", "consume-key-of-the-test") == "OK")
        check(isinstance(see.ask("HELLO", "3", "AUTH", "default", "read-key-of-the-test"), Map))
        check(root.ask("AUTH", "root", "admin-key-of-the-test") == "OK")
        id_ = pub.ask("XADD", STREAM, "*", "user_id", "u", "message", "m")
        check(isinstance(id_, bytes), id_)
        check(con.ask("XGROUP", "CREATE", STREAM, "g", "0") == "OK")
        commands = {
            ("XADD", STREAM, "*", "user_id", "u", "message", "m"): pub,
            ("XREADGROUP", "GROUP", "g", "c", "STREAMS", STREAM, ">"): con,
            ("XACK", STREAM, "g", "1-1"): con,
            ("XPENDING", STREAM, "g"): con,
            ("XRANGE", STREAM, "-", "+"): see,
            ("XINFO", "STREAM", STREAM): see,
            ("XREAD", "STREAMS", STREAM, "0"): see,
            ("TYPE", STREAM): see,
            ("XTRIM", "x", "MAXLEN", "0"): root,
            ("XDEL", "x", "1-1"): root,
            ("XGROUP", "DESTROY", "x", "g"): root,
            ("CLIENT", "LIST"): root,
            ("CONFIG", "GET", "*"): root,
            ("DEL", "x"): root,
        }
        for command, allowed in commands.items():
            for client in (pub, con, see, root):
                reply = client.ask(*command)
                if client is allowed:
                    check(not isinstance(reply, Error) or not reply.startswith("NOPERM"), (command, reply))
                else:
                    is_error(reply, "NOPERM")
        # In MULTI it is refused when it is queued.
        check(see.ask("MULTI") == "OK")
        is_error(see.ask("XADD", STREAM, "*", "a", "b"), "NOPERM")
        is_error(see.ask("EXEC"), "EXECABORT")
        # The server's own group: seen by everybody, touched by nobody but an administrator.
        groups = see.ask("XINFO", "GROUPS", STREAM)
        check(any(OWN.encode() in group for group in groups), groups)
        for command in (
            ("XREADGROUP", "GROUP", OWN, "c", "STREAMS", STREAM, ">"),
            ("XACK", STREAM, OWN, "1-1"),
            ("XCLAIM", STREAM, OWN, "c", "0", "1-1"),
            ("XAUTOCLAIM", STREAM, OWN, "c", "0", "0"),
            ("XGROUP", "CREATECONSUMER", STREAM, OWN, "c"),
            ("XGROUP", "DELCONSUMER", STREAM, OWN, "notifier"),
            ("XNACK", STREAM, OWN, "FAIL", "IDS", "1", "1-1"),
        ):
            is_error(con.ask(*command), "NOPERM")
        check(isinstance(con.ask("XPENDING", STREAM, OWN), list))
        check(see.ask("RESET") == Simple("RESET"))
        is_error(see.ask("PING"), "NOAUTH")


@test
def whoever_guesses_is_slowed_down(tocsin: Tocsin) -> None:
    with Tocsin(tocsin.binary, {"redis_auth": "required"}) as closed:
        client = Client(closed.port)
        for _ in range(10):
            is_error(client.ask("AUTH", "guess"), "WRONGPASS")
        is_error(client.ask("AUTH", API_KEY), "ERR too many wrong passwords")
        is_error(Client(closed.port).ask("AUTH", API_KEY), "ERR too many wrong passwords")


@test
def before_authentication_little_is_read_and_little_written(tocsin: Tocsin) -> None:
    with Tocsin(tocsin.binary, {"redis_auth": "required"}) as closed:
        for rude in (
            b"*11\r\n",
            b"*1000000\r\n",
            b"*2\r\n$4\r\nAUTH\r\n$16385\r\n",
            b"*2\r\n$4\r\nAUTH\r\n$1000000000\r\n",
            b"x" * 70_000,
            encode("PING") * 200,  # answers of more than a kilobyte
        ):
            client = Client(closed.port)
            client.send(rude)
            check(client.closed(), rude[:40])
        with Client(closed.port, password=API_KEY) as client:
            check(client.ask("ECHO", "x" * 100_000) == b"x" * 100_000)


# Rude clients.


@test
def http_is_not_answered(tocsin: Tocsin) -> None:
    for request in (
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 30\r\n\r\nXADD notifications_stream * a b\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nXADD http * a b\r\n",
    ):
        client = Client(tocsin.port)
        client.send(request)
        check(client.closed())
    check(Client(tocsin.port).ask("EXISTS", "http") == 0)


@test
def protocol_errors_close_and_nothing_breaks(tocsin: Tocsin) -> None:
    for rude in (
        b"*-5\r\nPING\r\n", b"*1\r\n$-1\r\n", b"*1\r\n$abc\r\n", b"*1048577\r\n", b"*1\r\n:5\r\n", b"*1\r\n$4\r\nPINGxx",
        b"*3\r\n$4\r\nXADD\r\n$99999999999\r\n", b'"unbalanced\r\n', b"*99999999999999999999\r\n", b"\x00\xff" * 40_000,
        b"*2\r\n$4\r\nECHO\r\n$16777217\r\n", b"*1\r\n$4294967296\r\n",
    ):  # fmt: skip
        with Client(tocsin.port) as client:
            client.send(rude)
            client.socket.shutdown(socket.SHUT_WR)
            check(client.closed(), rude[:40])
    # Half commands, empty ones, and what is in between.
    with Client(tocsin.port) as client:
        client.send(b"\r\n\r\n*0\r\nPING\r\n*1\r\n$4\r\nPI")
        check(client.read() == "PONG")
        client.send(b"NG\r\n")
        check(client.read() == "PONG")
        for byte in encode("ECHO", "slowly"):
            client.send(bytes([byte]))
        check(client.read() == b"slowly")
        check(client.ask("XADD", "a\r\n\x00b", "*", "", "") is not None)
        check(client.ask("DEL", "a\r\n\x00b") == 1)
    with Client(tocsin.port) as client:
        words = ["XDEL", "wide"] + [f"{i}-0" for i in range(200_000)]
        check(client.ask("XADD", "wide", "100000-0", "a", "b") == b"100000-0")
        check(client.ask(*words) == 1)


@test
def a_half_closed_pipe_is_answered_to_its_end(tocsin: Tocsin) -> None:
    client = Client(tocsin.port)
    client.send(encode("XADD", "pipe", "*", "a", "b") * 5_000 + encode("XLEN", "pipe"))
    client.socket.shutdown(socket.SHUT_WR)
    replies = [client.read() for _ in range(5_001)]
    check(replies[-1] == 5_000, replies[-1])
    check(client.closed())


@test
def a_pipeline_of_any_depth(tocsin: Tocsin) -> None:
    client = Client(tocsin.port)
    before = resident_kib(tocsin)
    rounds, each = 100, 1_000
    count = threading.Thread(target=lambda: [client.read() for _ in range(rounds * each)])
    count.start()
    for _ in range(rounds):
        client.send(encode("XADD", "deep", "MAXLEN", "1000", "*", "field", "x" * 100) * each)
    count.join()
    check(client.ask("XLEN", "deep") == 1_000)
    grown = resident_kib(tocsin) - before
    check(grown < 200_000, f"{grown} KiB more")


@test
def replies_that_nobody_reads_cost_a_window(tocsin: Tocsin) -> None:
    writer = Client(tocsin.port)
    for _ in range(100):
        writer.ask("XADD", "large", "*", "field", "x" * 10_000)
    before = resident_kib(tocsin)
    lazy = [Client(tocsin.port) for _ in range(20)]
    for client in lazy:
        client.socket.setblocking(False)
        try:
            while True:  # each is answered with a megabyte
                client.send(encode("XRANGE", "large", "-", "+") * 200)
        except BlockingIOError:
            pass
    wait_for("the server is idle", lambda: writer.ask("PING") == "PONG")
    grown = resident_kib(tocsin) - before
    check(grown < 20 * 8_000, f"{grown} KiB more for 20 clients that read nothing")
    # One of them reads at last: everything is there, in order.
    reader = Client(tocsin.port)
    asked = 30
    sender = threading.Thread(target=lambda: reader.send(encode("XRANGE", "large", "-", "+") * asked + encode("PING")))
    sender.start()
    for _ in range(asked):
        check(len(reader.read()) == 100)
    check(reader.read() == "PONG")
    sender.join()


@test
def what_all_clients_hold_has_a_ceiling(tocsin: Tocsin) -> None:
    with Tocsin(tocsin.binary) as full:
        writer = Client(full.port)
        for _ in range(20):
            writer.ask("XADD", "large", "*", "field", "x" * 1_000_000)
        # Each asks for twenty megabytes and reads nothing; the same again for half commands.
        lazy = [Client(full.port) for _ in range(60)]
        for client in lazy:
            client.send(encode("XRANGE", "large", "-", "+"))
        wait_for("replies are refused", lambda: isinstance(writer.ask("XRANGE", "large", "-", "+", "COUNT", "2"), Error))
        check(resident_kib(full) < 1_200_000, resident_kib(full))
        check(isinstance(writer.ask("XADD", "large", "*", "a", "b"), bytes))
        for client in lazy:
            client.close()
        wait_for("they are given again", lambda: isinstance(writer.ask("XRANGE", "large", "-", "+", "COUNT", "2"), list))
        rude = [Client(full.port) for _ in range(40)]
        for client in rude:
            try:
                client.send(b"*2\r\n$4\r\nECHO\r\n$16000000\r\n" + b"x" * 15_900_000)
            except (ConnectionResetError, BrokenPipeError):
                pass
        check(resident_kib(full) < 1_200_000, resident_kib(full))
        check(writer.ask("PING") == "PONG")
        refused, _, _ = select.select([client.socket for client in rude], [], [], 10)
        check(15 < len(refused) < 30, f"{len(refused)} of {len(rude)} were refused")


@test
def a_reply_has_its_largest_size(tocsin: Tocsin) -> None:
    client = Client(tocsin.port)
    for _ in range(8):
        client.ask("XADD", "huge", "*", "field", "x" * (12 << 20))
    is_error(client.ask("XRANGE", "huge", "-", "+"), "ERR the reply would be too large")
    check(len(client.ask("XRANGE", "huge", "-", "+", "COUNT", "2")) == 2)
    got, after = 0, b"0"
    while got < 8:  # XREAD gives what fits
        entries = client.ask("XREAD", "STREAMS", "huge", after)[0][1]
        check(entries)
        got, after = got + len(entries), entries[-1][0]
    client.ask("DEL", "huge")


# Waiting.


def blocked(tocsin: Tocsin, *command: str, version: int = 2) -> Client:
    watcher = Client(tocsin.port)
    count = figure(watcher, "blocked_clients")
    client = Client(tocsin.port, version)
    client.send(encode(*command))
    wait_for("it blocks", lambda: figure(watcher, "blocked_clients") == count + 1)
    return client


@test
def a_timeout_is_nil_in_either_version(tocsin: Tocsin) -> None:
    for version, nothing in ((2, NullArray()), (3, Null())):
        client = Client(tocsin.port, version)
        check(client.ask("XREAD", "BLOCK", "30", "STREAMS", "nothing", "$") == nothing)
        began = time.monotonic()
        check(client.ask("XREAD", "BLOCK", "200", "STREAMS", "nothing", "$") == nothing)
        check(time.monotonic() - began >= 0.2)


@test
def what_follows_a_blocked_command_waits(tocsin: Tocsin) -> None:
    client = blocked(tocsin, "XREAD", "BLOCK", "0", "STREAMS", "turn", "$")
    client.send(encode("PING") + encode("XLEN", "turn"))
    other = Client(tocsin.port)
    check(other.ask("XADD", "turn", "1-1", "a", "b") == b"1-1")
    check(client.read() == [[b"turn", [[b"1-1", [b"a", b"b"]]]]])
    check(client.read() == "PONG")
    check(client.read() == 1)


@test
def a_lost_connection_waits_no_more(tocsin: Tocsin) -> None:
    other = Client(tocsin.port)
    other.ask("XGROUP", "CREATE", "lost", "g", "$", "MKSTREAM")
    count = figure(other, "blocked_clients")
    for extra in (b"", encode("PING") * 25_000):  # with unread input too
        client = blocked(tocsin, "XREADGROUP", "GROUP", "g", "c", "BLOCK", "0", "STREAMS", "lost", ">")
        client.socket.setblocking(False)
        try:
            client.send(extra)
        except BlockingIOError:
            pass
        client.close()
        wait_for("nobody waits", lambda: figure(other, "blocked_clients") == count)
    other.ask("XADD", "lost", "*", "a", "b")
    check(other.ask("XPENDING", "lost", "g")[0] == 0, "the entry went to somebody who is gone")


@test
def unblock_and_kill(tocsin: Tocsin) -> None:
    other = Client(tocsin.port)
    for reason, expected in (("TIMEOUT", NullArray()), ("ERROR", Error("UNBLOCKED client unblocked via CLIENT UNBLOCK"))):
        client = Client(tocsin.port)
        id_ = client.ask("CLIENT", "ID")
        check(other.ask("CLIENT", "UNBLOCK", id_, reason) == 0)
        client.send(encode("XREAD", "BLOCK", "0", "STREAMS", "never", "$"))
        wait_for("it can be unblocked", lambda: other.ask("CLIENT", "UNBLOCK", id_, reason) == 1)
        check(client.read() == expected)
        check(client.ask("PING") == "PONG")
    victim = blocked(tocsin, "XREAD", "BLOCK", "0", "STREAMS", "never", "$")
    listed = bytes(other.ask("CLIENT", "LIST")).decode().splitlines()
    id_ = next(line.split()[0].split("=")[1] for line in listed if " flags=b " in line)
    check(other.ask("CLIENT", "KILL", "ID", id_) == 1)
    check(victim.closed())
    check(figure(other, "blocked_clients") == 0)
    third = Client(tocsin.port)
    third.ask("CLIENT", "SETNAME", "third")
    address = "127.0.0.1:%d" % third.socket.getsockname()[1]
    check(other.ask("CLIENT", "KILL", address) == "OK")
    check(third.closed())
    check(other.ask("CLIENT", "KILL", "SKIPME", "no", "ID", other.ask("CLIENT", "ID")) == 1)
    check(other.closed())


@test
def one_entry_wakes_one_of_a_group_and_every_reader(tocsin: Tocsin) -> None:
    other = Client(tocsin.port)
    other.ask("XGROUP", "CREATE", "fair", "g", "$", "MKSTREAM")
    members = [blocked(tocsin, "XREADGROUP", "GROUP", "g", f"c{i}", "BLOCK", "0", "STREAMS", "fair", ">") for i in range(3)]
    readers = [blocked(tocsin, "XREAD", "BLOCK", "0", "STREAMS", "fair", "$", version=3) for _ in range(3)]
    for i, member in enumerate(members):
        other.ask("XADD", "fair", f"{i + 1}-0", "a", "b")
        check(member.read()[0][1][0][0] == f"{i + 1}-0".encode())
        check(figure(other, "blocked_clients") == 2 - i)
    for reader in readers:
        check(reader.read() == Map([b"fair", [[b"1-0", [b"a", b"b"]]]]))


@test
def nobody_blocks_in_a_transaction(tocsin: Tocsin) -> None:
    client = Client(tocsin.port)
    client.send(encode("MULTI") + encode("XREAD", "BLOCK", "0", "STREAMS", "never", "$") + encode("EXEC"))
    check([client.read() for _ in range(3)] == ["OK", "QUEUED", [NullArray()]])


# What later versions of Redis have added.


@test
def later_commands(tocsin: Tocsin) -> None:
    client = Client(tocsin.port)
    for i in range(1, 6):
        client.ask("XADD", "later", f"{i}-0", "n", i)
    client.ask("XGROUP", "CREATE", "later", "g", "0")
    client.ask("XGROUP", "CREATE", "later", "h", "0")
    client.ask("XREADGROUP", "GROUP", "g", "c", "STREAMS", "later", ">")
    check(client.ask("XACKDEL", "later", "g", "ACKED", "IDS", "2", "1-0", "9-0") == [2, -1])
    check(client.ask("XDELEX", "later", "KEEPREF", "IDS", "1", "2-0") == [1])
    check(client.ask("XNACK", "later", "g", "FAIL", "IDS", "1", "3-0") == 1)
    claimed = client.ask("XREADGROUP", "GROUP", "g", "d", "CLAIM", "0", "COUNT", "1", "STREAMS", "later", ">")
    check(claimed[0][1][0][0] == b"3-0" and claimed[0][1][0][3] == 1, claimed)
    is_error(client.ask("XDELEX", "later", "IDS", "3", "1-0"), "ERR The `numids` parameter must match")
    is_error(client.ask("XDELEX", "later", "IDS", "0", "1-0"), "ERR Number of IDs must be a positive integer")
    once = client.ask("XADD", "later", "IDMP", "shop", "order-1", "*", "a", "b")
    check(client.ask("XADD", "later", "IDMP", "shop", "order-1", "*", "a", "b") == once)
    check(client.ask("XADD", "later", "IDMPAUTO", "shop", "*", "a", "b") != once)
    check(client.ask("XCFGSET", "later", "IDMP-DURATION", "300", "IDMP-MAXSIZE", "10") == "OK")
    is_error(client.ask("XCFGSET", "later"), "ERR wrong number of arguments")
    # Somebody waits for what others leave idle: time alone brings it.
    client.ask("XREADGROUP", "GROUP", "g", "d", "CLAIM", "0", "STREAMS", "later", ">")
    waiting = blocked(tocsin, "XREADGROUP", "GROUP", "g", "e", "CLAIM", "500", "BLOCK", "0", "COUNT", "1", "STREAMS", "later", ">")
    entry = waiting.read()[0][1][0]
    check(entry[2] >= 500 and entry[3] >= 1, entry)


@test
def keys_expire_by_themselves(tocsin: Tocsin) -> None:
    client = Client(tocsin.port)
    client.ask("XADD", "brief", "*", "a", "b")
    waiting = Client(tocsin.port)
    waiting.ask("XGROUP", "CREATE", "brief", "g", "$")
    waiting.send(encode("XREADGROUP", "GROUP", "g", "c", "BLOCK", "0", "STREAMS", "brief", ">"))
    check(client.ask("PEXPIRE", "brief", "50") == 1)
    is_error(waiting.read(), "NOGROUP")  # told by the expiry alone
    check(client.ask("EXISTS", "brief") == 0)


@test
def what_was_answered_is_there_after_a_crash(tocsin: Tocsin) -> None:
    with Tocsin(tocsin.binary) as crashing:
        client = Client(crashing.port)
        client.ask("XGROUP", "CREATE", "kept", "g", "0", "MKSTREAM")
        ids = [client.ask("XADD", "kept", "*", "i", i) for i in range(100)]
        client.ask("XREADGROUP", "GROUP", "g", "c", "COUNT", "50", "STREAMS", "kept", ">")
        check(client.ask("XACK", "kept", "g", *[id_.decode() for id_ in ids[:30]]) == 30)
        client.ask("CONFIG", "SET", "stream-node-max-entries", "10")
        crashing.kill()
        crashing.start()
        client = Client(crashing.port)
        check([entry[0] for entry in client.ask("XRANGE", "kept", "-", "+")] == ids)
        check(client.ask("XPENDING", "kept", "g")[0] == 20)


@test
def replies_can_be_switched_off(tocsin: Tocsin) -> None:
    client = Client(tocsin.port)
    client.send(encode("CLIENT", "REPLY", "OFF") + encode("XADD", "mute", "*", "a", "b") + encode("PING"))
    client.send(encode("CLIENT", "REPLY", "ON"))
    check(client.read() == "OK")
    client.send(encode("CLIENT", "REPLY", "SKIP") + encode("XADD", "mute", "*", "a", "b") + encode("XLEN", "mute"))
    check(client.read() == 2)


@test
def a_drain_sends_clients_away(tocsin: Tocsin) -> None:
    with Tocsin(tocsin.binary) as draining:
        waiting = blocked(draining, "XREAD", "BLOCK", "0", "STREAMS", "s", "$")
        idle = Client(draining.port)
        idle.ask("PING")
        draining.process.terminate()
        check(waiting.closed() and idle.closed())
        check(draining.process.wait(60) == 0)
        draining.start()  # for the end of the test


def main() -> int:
    binary, names = sys.argv[1], sys.argv[2:]
    failed = 0
    with Tocsin(binary, {"max_connections": "1000"}) as tocsin:
        for one in TESTS:
            if names and not any(name in one.__name__ for name in names):
                continue
            began = time.monotonic()
            try:
                one(tocsin)
                print(f"ok    {one.__name__} ({time.monotonic() - began:.1f} s)")
            except Exception as problem:  # noqa: BLE001 (a test that fails must not hide the others)
                failed += 1
                print(f"FAIL  {one.__name__}: {type(problem).__name__}: {str(problem)[:600]}")
            if tocsin.process.poll() is not None:
                print(f"the server has ended: {tocsin.log()}")
                return 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
