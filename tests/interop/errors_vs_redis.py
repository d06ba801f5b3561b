"""Every way to get a command wrong, on a redis-server and on tocsin: the replies are equal to the byte, in RESP2 and
RESP3.

    errors_vs_redis.py TOCSIN

The reference installed may be a Redis 7.0; where 7.2 says something else, 7.2 is right and KNOWN says so.
"""

import sys

from resp import Client, Error, show
from servers import Redis, Tocsin

# Commands whose replies differ for a reason.
KNOWN = {
    # The texts of 7.2; Debian's redis-server is a 7.0.
    "COMMAND GETKEYS PING": "ERR The command has no key arguments",
    "COMMAND GETKEYS XADD": "ERR Invalid number of arguments specified for command",
    "XREAD STREAMS a b 1": "ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified.",
    "XREADGROUP GROUP g c STREAMS s t >":
        "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified.",
    # Redis takes it for 2^64-1.
    "SCAN -1": "ERR invalid cursor",
}

SETUP = """
DEL s t u nokey
XADD s 1-1 a 1
XADD s 2-0 a 2
XADD s 3-0 b 3
XGROUP CREATE s g 0
XREADGROUP GROUP g c COUNT 2 STREAMS s >
XADD top 18446744073709551615-18446744073709551615 a b
"""

BIG = "9223372036854775807"
NUMBERS = ["0", "1", "-1", BIG, "-9223372036854775808", "9223372036854775808", "01", "+1", " 1", "1 ", "1.5", "abc", "", "0x1"]
IDS = [
    "0", "0-0", "1", "1-1", "5-*", "*", "$", ">", "-", "+", "(1", "(1-1", "(-", "(", "", "abc", "1-", "-1", "1-abc", "1--1",
    "18446744073709551615", "18446744073709551615-18446744073709551615", "18446744073709551616", "1-18446744073709551616",
    "(18446744073709551615-18446744073709551615", "(0-0", "01-01", "+1-1", " 1-1", "1-1 ", "*-1", "1-+", "1" * 130,
]  # fmt: skip


def cases() -> list[list[str]]:
    text = """
    NOSUCH
    NOSUCH a b c
    nosuch "" a
    XADD
    XADD s
    XADD s *
    XADD s * a
    XADD s * a b c
    XADD s NOMKSTREAM
    XADD s NOMKSTREAM * a
    XADD new NOMKSTREAM * a b
    XADD s MAXLEN
    XADD s MAXLEN 10 *
    XADD s MAXLEN 10 * a
    XADD s MAXLEN ~ * a b
    XADD s MAXLEN = 10 100-1 a b
    XADD s MAXLEN 1 MINID 1 200-1 a b
    XADD s MINID 1 MAXLEN 1 200-1 a b
    XADD s MAXLEN 1 MAXLEN 2 200-1 a b
    XADD s LIMIT 1 300-1 a b
    XADD s LIMIT 0 300-1 a b
    XADD s MAXLEN 10 LIMIT 1 300-1 a b
    XADD s MAXLEN = 10 LIMIT 1 300-1 a b
    XADD s MAXLEN ~ 10 LIMIT -1 300-1 a b
    XADD s MAXLEN ~ 10 LIMIT x 300-1 a b
    XADD s MAXLEN ~ 10 LIMIT 300-1 a b
    XADD s LIMIT 10 MAXLEN ~ 10 310-1 a b
    XADD s maxlen ~ 10 nomkstream 320-1 a b
    XADD s FOO 1 * a b
    XADD top * a b
    XADD top 1-1 a b
    XADD top 18446744073709551615-* a b
    XTRIM
    XTRIM s
    XTRIM s MAXLEN
    XTRIM s MAXLEN -1
    XTRIM s MAXLEN ~
    XTRIM s FOO 10
    XTRIM s LIMIT 10
    XTRIM s MAXLEN 10 FOO
    XTRIM s MAXLEN 10 LIMIT 1
    XTRIM s MAXLEN ~ 10 LIMIT
    XTRIM s MAXLEN 100 MINID 1
    XTRIM s NOMKSTREAM MAXLEN 10
    XTRIM nokey MAXLEN 10
    XTRIM nokey MAXLEN x
    XDEL
    XDEL s
    XDEL nokey abc
    XDEL s abc
    XDEL s 1-1 abc
    XSETID
    XSETID s
    XSETID nokey 1-1
    XSETID s 1-1
    XSETID s 9-9 ENTRIESADDED
    XSETID s 9-9 ENTRIESADDED 1
    XSETID s 9-9 ENTRIESADDED -1
    XSETID s 9-9 ENTRIESADDED x
    XSETID s 9-9 MAXDELETEDID
    XSETID s 9-9 MAXDELETEDID 10-0
    XSETID s 9-9 MAXDELETEDID x
    XSETID s 9-9 FOO 1
    XSETID s 9-9 ENTRIESADDED 5 MAXDELETEDID 0-0 x
    XLEN
    XLEN s t
    XLEN nokey
    XRANGE s
    XRANGE s - +  COUNT
    XRANGE s - + FOO 1
    XRANGE s - + COUNT x
    XRANGE s - + COUNT 1 COUNT 2
    XRANGE s - + COUNT 0
    XRANGE s - + COUNT -5
    XRANGE nokey - + COUNT 0
    XRANGE nokey - + COUNT x
    XRANGE nokey x +
    XREVRANGE s + - COUNT 0
    XREVRANGE s + - COUNT 1
    XREVRANGE s - +
    XREAD
    XREAD STREAMS
    XREAD STREAMS a
    XREAD STREAMS a b 1
    XREAD COUNT 1
    XREAD COUNT x STREAMS s 0
    XREAD COUNT STREAMS s 0
    XREAD COUNT -1 STREAMS s 0
    XREAD COUNT 0 STREAMS s 0
    XREAD BLOCK x STREAMS s 0
    XREAD BLOCK -1 STREAMS s 0
    XREAD BLOCK 1 STREAMS s $
    XREAD BLOCK 1.5 STREAMS s 0
    XREAD BLOCK 9223372036854775807 STREAMS s 0
    XREAD BLOCK 1 COUNT 1 STREAMS nokey 0
    XREAD NOACK STREAMS s 0
    XREAD GROUP g c STREAMS s 0
    XREAD GROUP g STREAMS s 0
    XREAD FOO STREAMS s 0
    XREAD STREAMS s >
    XREAD STREAMS s t 0 >
    XREAD STREAMS s t 0 x
    XREAD STREAMS s nokey 0 0
    XREAD STREAMS nokey 0
    XREAD STREAMS s s 0 1-1
    XREADGROUP
    XREADGROUP GROUP g c
    XREADGROUP GROUP g c STREAMS s
    XREADGROUP GROUP g c STREAMS s t >
    XREADGROUP GROUP g c COUNT 1 BLOCK 1
    XREADGROUP GROUP nogroup c STREAMS s >
    XREADGROUP GROUP nogroup c STREAMS s abc
    XREADGROUP GROUP g c STREAMS nokey >
    XREADGROUP GROUP g c STREAMS s nokey > >
    XREADGROUP GROUP g c STREAMS s $
    XREADGROUP GROUP g c STREAMS s abc
    XREADGROUP GROUP g c STREAMS s 18446744073709551615-18446744073709551615
    XREADGROUP GROUP g c FOO STREAMS s >
    XREADGROUP GROUP g c BLOCK -1 STREAMS s >
    XREADGROUP COUNT 1 STREAMS s s > >
    XREADGROUP FOO g c STREAMS s >
    XREADGROUP GROUP g c NOACK COUNT 0 STREAMS s 0
    XREADGROUP GROUP g STREAMS COUNT 1 STREAMS s 0
    XREADGROUP GROUP g d BLOCK 0 STREAMS s 0
    XGROUP
    XGROUP FOO
    XGROUP FOO a b c
    XGROUP CREATE
    XGROUP CREATE s
    XGROUP CREATE s g
    XGROUP CREATE s g 0
    XGROUP CREATE nokey g 0
    XGROUP CREATE nokey g abc
    XGROUP CREATE nokey g abc MKSTREAM
    XGROUP CREATE s g2 abc
    XGROUP CREATE s g2 -
    XGROUP CREATE s g2 0 FOO
    XGROUP CREATE s g2 0 MKSTREAM FOO
    XGROUP CREATE s g2 0 ENTRIESREAD
    XGROUP CREATE s g2 0 ENTRIESREAD x
    XGROUP CREATE s g2 0 ENTRIESREAD -2
    XGROUP CREATE nokey g2 0 ENTRIESREAD -2
    XGROUP CREATE s g3 0 ENTRIESREAD -1 MKSTREAM
    XGROUP CREATE s g4 $ MKSTREAM ENTRIESREAD 3
    XGROUP SETID
    XGROUP SETID s
    XGROUP SETID s g
    XGROUP SETID s g abc
    XGROUP SETID nokey g 0
    XGROUP SETID s nogroup abc
    XGROUP SETID s g 0 FOO
    XGROUP SETID s g 0 MKSTREAM
    XGROUP SETID s g4 0 ENTRIESREAD 5
    XGROUP SETID s g4 -
    XGROUP SETID s g4 +
    XGROUP DESTROY
    XGROUP DESTROY s
    XGROUP DESTROY s nogroup
    XGROUP DESTROY nokey g
    XGROUP DESTROY s g extra
    XGROUP CREATECONSUMER s g
    XGROUP CREATECONSUMER s nogroup c
    XGROUP CREATECONSUMER nokey g c
    XGROUP CREATECONSUMER s g c
    XGROUP CREATECONSUMER s g newone
    XGROUP CREATECONSUMER s g c extra
    XGROUP DELCONSUMER s g
    XGROUP DELCONSUMER s nogroup c
    XGROUP DELCONSUMER nokey g c
    XGROUP DELCONSUMER s g nobody
    XGROUP HELP
    XGROUP HELP extra
    XACK
    XACK s
    XACK s g
    XACK s g abc
    XACK s nogroup abc
    XACK nokey g abc
    XACK s g 9-9
    XACK s g 1-1 abc
    XPENDING
    XPENDING s
    XPENDING nokey g
    XPENDING s nogroup
    XPENDING s g -
    XPENDING s g - +
    XPENDING s g - + x
    XPENDING s g - + -1
    XPENDING s g - + 0
    XPENDING s g - + 10 nobody
    XPENDING s g - + 10 c extra
    XPENDING s g abc + 10
    XPENDING s g - abc 10
    XPENDING nokey g abc + 10
    XPENDING nokey g - + x
    XPENDING s g IDLE
    XPENDING s g IDLE x - + 10
    XPENDING s g IDLE 1 - +
    XPENDING s g IDLE 1 - + x
    XPENDING s g IDLE 1000000 - + 10
    XPENDING s g IDLE -1 - + 0
    XPENDING s g IDLE 1 - + 10 c extra
    XPENDING s g3
    XCLAIM
    XCLAIM s g
    XCLAIM s g c 0
    XCLAIM nokey g c 0 1-1
    XCLAIM nokey g c x 1-1
    XCLAIM s nogroup c 0 abc
    XCLAIM s g c x 1-1
    XCLAIM s g c 0 abc
    XCLAIM s g c 0 1-1 FOO
    XCLAIM s g c 0 1-1 IDLE
    XCLAIM s g c 0 1-1 IDLE x
    XCLAIM s g c 0 1-1 TIME x
    XCLAIM s g c 0 1-1 RETRYCOUNT x
    XCLAIM s g c 0 1-1 LASTID x
    XCLAIM s g c 0 1-1 LASTID
    XCLAIM s g c 0 1-1 JUSTID 2-0
    XCLAIM s g c 1000000 1-1 JUSTID
    XCLAIM s g c 0 9-9 FORCE
    XCLAIM s g c -5 1-1 JUSTID RETRYCOUNT -3
    XAUTOCLAIM
    XAUTOCLAIM s g c
    XAUTOCLAIM s g c 0
    XAUTOCLAIM nokey g c 0 0
    XAUTOCLAIM s nogroup c 0 0
    XAUTOCLAIM nokey g c x 0
    XAUTOCLAIM s g c x 0
    XAUTOCLAIM s g c 0 abc
    XAUTOCLAIM s g c 0 0 COUNT
    XAUTOCLAIM s g c 0 0 COUNT 0
    XAUTOCLAIM s g c 0 0 COUNT -1
    XAUTOCLAIM s g c 0 0 COUNT x
    XAUTOCLAIM s g c 0 0 FOO
    XAUTOCLAIM s g c 1000000 0 JUSTID
    XAUTOCLAIM s g c 0 (18446744073709551615-18446744073709551615
    XINFO
    XINFO FOO
    XINFO STREAM
    XINFO STREAM nokey
    XINFO STREAM nokey FULL
    XINFO STREAM s FOO
    XINFO STREAM s FULL COUNT
    XINFO STREAM s FULL COUNT x
    XINFO STREAM s FULL FOO 1
    XINFO STREAM s FULL COUNT 1 x
    XINFO GROUPS
    XINFO GROUPS nokey
    XINFO GROUPS s extra
    XINFO CONSUMERS s
    XINFO CONSUMERS s nogroup
    XINFO CONSUMERS nokey g
    XINFO HELP
    XINFO HELP extra
    TYPE
    TYPE nokey
    TYPE s
    EXISTS
    EXISTS s s nokey
    DEL
    UNLINK nokey
    TOUCH s nokey
    KEYS
    KEYS nokey
    KEYS a b
    SCAN
    SCAN x
    SCAN -1
    SCAN 0 COUNT
    SCAN 0 COUNT 0
    SCAN 0 COUNT x
    SCAN 0 MATCH
    SCAN 0 FOO 1
    SCAN 0 TYPE string
    SCAN 0 COUNT 1000 MATCH zzz*
    RENAME
    RENAME s
    RENAME nokey x
    RENAME nokey nokey
    RENAMENX nokey x
    RENAMENX s top
    EXPIRE
    EXPIRE s
    EXPIRE s x
    EXPIRE nokey 10
    EXPIRE s 10 FOO
    EXPIRE s 10 NX XX
    EXPIRE s 10 NX GT
    EXPIRE s 10 GT LT
    EXPIRE s 9223372036854775807
    EXPIRE s -9223372036854775808
    PEXPIRE s 9223372036854775807
    EXPIREAT s 9223372036854775807
    PEXPIREAT s x
    EXPIRE s 100 XX
    EXPIRE s 100 GT
    EXPIRE s 100 NX
    EXPIRE s 50 GT
    EXPIRE s 200 LT
    PERSIST s
    PERSIST s
    PERSIST nokey
    TTL s
    TTL nokey
    PTTL nokey
    EXPIRETIME s
    EXPIRETIME nokey
    PEXPIRETIME nokey
    RANDOMKEY x
    DBSIZE x
    FLUSHALL x
    FLUSHDB SYNC x
    OBJECT
    OBJECT FOO
    OBJECT ENCODING
    OBJECT ENCODING s
    OBJECT ENCODING nokey
    OBJECT REFCOUNT s
    MEMORY
    MEMORY FOO
    MEMORY USAGE
    MEMORY USAGE nokey
    MEMORY USAGE s SAMPLES
    MEMORY USAGE s SAMPLES x
    MEMORY USAGE s FOO 1
    PING
    PING hello
    PING a b
    ECHO
    ECHO a
    ECHO a b
    SELECT
    SELECT 0
    SELECT x
    SELECT -1
    SELECT 99999
    AUTH
    AUTH a b c
    AUTH wrong
    AUTH default any
    AUTH nobody secret
    HELLO 4
    HELLO x
    HELLO 3 FOO
    HELLO 2 AUTH a
    HELLO 2 SETNAME
    HELLO 2 AUTH nobody secret
    CLIENT
    CLIENT FOO
    CLIENT SETNAME
    CLIENT SETNAME "a b"
    CLIENT SETNAME good
    CLIENT GETNAME
    CLIENT GETNAME x
    CLIENT SETNAME ""
    CLIENT GETNAME
    CLIENT ID x
    CLIENT REPLY FOO
    CLIENT KILL
    CLIENT KILL 1.2.3.4:5
    CLIENT KILL ID x
    CLIENT KILL ID 99999
    CLIENT KILL TYPE x
    CLIENT KILL FOO x
    CLIENT KILL ID
    CLIENT KILL SKIPME maybe
    CLIENT KILL ADDR 1.2.3.4:5 LADDR 1.2.3.4:6
    CLIENT UNBLOCK
    CLIENT UNBLOCK x
    CLIENT UNBLOCK 99999
    CLIENT UNBLOCK 99999 FOO
    CLIENT UNBLOCK 99999 ERROR
    CLIENT LIST FOO
    CLIENT LIST TYPE x
    CLIENT LIST ID x
    CLIENT LIST ID 99999
    CLIENT NO-EVICT
    CLIENT NO-EVICT FOO
    CLIENT NO-EVICT ON
    CLIENT GETREDIR
    CLIENT TRACKINGINFO
    COMMAND FOO
    COMMAND COUNT x
    COMMAND GETKEYS
    COMMAND GETKEYS XADD s * a b
    COMMAND GETKEYS XREAD COUNT 2 STREAMS a b 0 0
    COMMAND GETKEYS XREADGROUP GROUP g STREAMS STREAMS a b > >
    COMMAND GETKEYS PING
    COMMAND GETKEYS NOSUCH a
    COMMAND GETKEYS XADD
    COMMAND GETKEYS XGROUP CREATE s g 0
    COMMAND INFO nosuch
    COMMAND LIST FOO
    COMMAND LIST FILTERBY PATTERN xrevra*
    CONFIG
    CONFIG FOO
    CONFIG GET
    CONFIG GET nosuch*
    CONFIG SET nosuch 1
    CONFIG SET maxmemory
    CONFIG RESETSTAT
    CONFIG RESETSTAT x
    TIME x
    WAIT
    WAIT x 0
    WAIT 0 x
    WAIT 0 -1
    WAIT 0 0
    EXEC
    DISCARD
    MULTI x
    WATCH
    UNWATCH x
    UNWATCH
    RESET x
    INFO nosuch
    """
    import shlex

    listed = [shlex.split(line) for line in text.strip().splitlines()]
    for number in NUMBERS:
        listed += [
            ["XADD", "n", "MAXLEN", number, "*"],
            ["XTRIM", "s", "MAXLEN", "~", number],
            ["XTRIM", "s", "MAXLEN", "~", "100", "LIMIT", number],
            ["XRANGE", "nokey", "-", "+", "COUNT", number],
            ["XREAD", "COUNT", number, "STREAMS", "nokey", "0"],
            ["XREAD", "BLOCK", number, "STREAMS", "s", "top", "0", "0"],
            ["XPENDING", "s", "g", "-", "+", number],
            ["XPENDING", "s", "g", "IDLE", number, "-", "+", "0"],
            ["XCLAIM", "s", "g", "c", number, "9-9"],
            ["XAUTOCLAIM", "s", "g", "c", "0", "9-9", "COUNT", number],
            ["XINFO", "STREAM", "top", "FULL", "COUNT", number],
            ["XGROUP", "CREATE", "s", "gn" + number, "0", "ENTRIESREAD", number],
            ["EXPIRE", "nokey", number],
            ["SELECT", number] if number != "1" else ["PING"],
            ["CLIENT", "UNBLOCK", number],
        ]
    for id_ in IDS:
        listed += [
            ["XADD", "s", id_],
            ["XADD", "s", id_, "a"],
            ["XADD", "top", id_, "a", "b"] if id_ != "*" else ["PING"],
            ["XRANGE", "s", id_, "+"],
            ["XRANGE", "s", "-", id_],
            ["XREVRANGE", "s", id_, "-"],
            ["XREVRANGE", "s", "+", id_],
            ["XREAD", "STREAMS", "s", id_],
            ["XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", id_] if id_ != ">" else ["PING"],
            ["XDEL", "top", id_] if not id_.startswith("18446744073709551615") else ["PING"],
            ["XACK", "s", "g4", id_],
            ["XPENDING", "s", "g", id_, "+", "0"],
            ["XPENDING", "s", "g", "-", id_, "0"],
            ["XCLAIM", "s", "g", "c", "1000000", id_, "JUSTID"],
            ["XAUTOCLAIM", "s", "g", "c", "1000000", id_, "JUSTID"],
            ["XGROUP", "SETID", "s", "g4", id_],
            ["XGROUP", "CREATE", "s", "gi" + id_[:20], id_],
            ["XSETID", "top", id_],
            ["XTRIM", "top", "MINID", "=", id_] if not id_.startswith("18446744073709551615") else ["PING"],
        ]
    return listed


# What a transaction makes of its commands.
TRANSACTIONS = [
    ["MULTI", "MULTI", "XLEN s", "EXEC"],
    ["MULTI", "NOSUCH", "XLEN s", "EXEC", "EXEC"],
    ["MULTI", "XADD s", "EXEC"],
    ["MULTI", "XLEN s", "DISCARD", "EXEC"],
    ["MULTI", "WATCH s", "XLEN s", "EXEC"],
    ["MULTI", "EXEC"],
    ["MULTI", "XREAD BLOCK 0 STREAMS s $", "XREADGROUP GROUP g c BLOCK 0 STREAMS s >", "PING", "ECHO x", "EXEC"],
    ["WATCH s", "XADD s 9000-1 a b", "MULTI", "XLEN s", "EXEC"],
    ["WATCH s", "XADD s 9000-2 a b", "UNWATCH", "MULTI", "XLEN s", "EXEC"],
    ["WATCH s", "XLEN s", "MULTI", "XLEN s", "EXEC"],
    ["WATCH s", "MULTI", "DISCARD", "XADD s 9000-3 a b", "MULTI", "XLEN s", "EXEC"],
    ["WATCH nokey", "DEL nokey", "MULTI", "XLEN s", "EXEC"],
    ["WATCH nokey", "XADD nokey 1-1 a b", "MULTI", "XLEN s", "EXEC", "DEL nokey"],
    ["MULTI", "XADD s 1-1 a b", "XLEN s", "XRANGE nokey - +", "EXEC"],
    ["MULTI", "RESET", "EXEC", "PING"],
    ["MULTI", "CLIENT GETNAME", "HELLO 2", "CLIENT ID x", "EXEC"],
    ["MULTI", "SELECT 0", "CLIENT SETNAME inside", "EXEC", "CLIENT GETNAME"],
]


# How long entries have been pending depends on who is asked first.
def without_idle(reply: object, command: list[str]) -> object:
    if command[0] == "XPENDING" and isinstance(reply, list):
        return [[*entry[:2], "idle", entry[3]] if isinstance(entry, list) and len(entry) == 4 else entry for entry in reply]
    return reply


def main() -> int:
    tocsin_program = sys.argv[1]
    wrong = compared = 0
    with Redis() as redis, Tocsin(tocsin_program) as tocsin:
        for version in (2, 3):
            theirs, ours = Client(redis.port, version), Client(tocsin.port, version)

            def both(command: list[str]) -> None:
                nonlocal wrong, compared
                expected, got = (without_idle(client.ask(*command), command) for client in (theirs, ours))
                text = " ".join(command)
                if text in KNOWN:
                    expected = Error(KNOWN[text])
                compared += 1
                if show(expected) == show(got):
                    return
                wrong += 1
                print(f"RESP{version} {text}\n  redis:  {show(expected)}\n  tocsin: {show(got)}")

            for line in SETUP.strip().splitlines():
                both(line.split())
            for command in cases():
                both(command)
            for transaction in TRANSACTIONS:
                theirs, ours = Client(redis.port, version), Client(tocsin.port, version)
                for line in transaction:
                    both(line.split())
            for name in ("s", "top", "n", "t", "u"):
                both(["DEL", name])
    print(f"{compared} replies compared, {wrong} differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
