"""What a differential run must have shown: for every command and option of docs/redis.md that a redis-server 7.0 knows,
so many answers that say something.

The table of docs/redis.md is read: each of its words in capitals must be in a tag that is counted, or here with the
reason why it cannot be compared."""

import re
from collections import Counter
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs" / "redis.md"
ENOUGH = 200

LATER = "not in 7.0"
NOT_COMPARED = {
    ("XADD", "KEEPREF"): LATER, ("XADD", "DELREF"): LATER, ("XADD", "ACKED"): LATER, ("XADD", "IDMP"): LATER,
    ("XADD", "IDMPAUTO"): LATER, ("XREADGROUP", "CLAIM"): LATER, ("XNACK", "*"): LATER, ("XDELEX", "*"): LATER,
    ("XACKDEL", "*"): LATER, ("XCFGSET", "*"): LATER, ("WAITAOF", "*"): LATER, ("CLIENT", "SETINFO"): LATER,
    ("CLIENT", "NO-TOUCH"): LATER, ("CLIENT", "MAXAGE"): LATER,
    ("AUTH", "*"): "Tocsin's passwords are API keys: port.py",
    ("WAIT", "*"): "0 says nothing; the answers are compared",
    ("CLIENT", "HELP"): "lists what there is, which is not the same",
}  # fmt: skip

TAGS = """
XADD; XADD NOMKSTREAM; XADD MAXLEN; XADD MAXLEN =; XADD MAXLEN ~; XADD MAXLEN ~ LIMIT; XADD MINID; XADD MINID =
XADD MINID ~; XADD MINID ~ LIMIT; XADD *; XADD ms-*; XADD ms; XADD ms-n
XLEN; XRANGE; XRANGE COUNT; XRANGE -; XRANGE +; XRANGE (; XREVRANGE; XREVRANGE COUNT
XREVRANGE -; XREVRANGE +; XREVRANGE (
XREAD; XREAD COUNT; XREAD BLOCK; XREAD several; XREAD $; blocked XREAD
XINFO STREAM; XINFO STREAM FULL; XINFO STREAM FULL COUNT; XINFO GROUPS; XINFO CONSUMERS; XINFO HELP
XREADGROUP; XREADGROUP COUNT; XREADGROUP BLOCK; XREADGROUP NOACK; XREADGROUP several
XREADGROUP history; blocked XREADGROUP
XACK; XPENDING; XPENDING range; XPENDING range IDLE; XPENDING range consumer
XCLAIM; XCLAIM IDLE; XCLAIM TIME; XCLAIM RETRYCOUNT; XCLAIM FORCE; XCLAIM JUSTID; XCLAIM LASTID
XAUTOCLAIM; XAUTOCLAIM COUNT; XAUTOCLAIM JUSTID
XGROUP CREATE; XGROUP CREATE MKSTREAM; XGROUP CREATE ENTRIESREAD; XGROUP CREATECONSUMER; XGROUP DELCONSUMER
XGROUP SETID; XGROUP SETID ENTRIESREAD; XGROUP DESTROY; XGROUP HELP
XTRIM; XTRIM MAXLEN; XTRIM MAXLEN =; XTRIM MAXLEN ~; XTRIM MAXLEN ~ LIMIT; XTRIM MINID; XTRIM MINID =; XTRIM MINID ~
XTRIM MINID ~ LIMIT; XDEL; XSETID; XSETID ENTRIESADDED; XSETID MAXDELETEDID
TYPE; EXISTS; TOUCH; KEYS; SCAN; SCAN MATCH; SCAN COUNT; SCAN TYPE; RANDOMKEY; DBSIZE
TTL; PTTL; EXPIRETIME; PEXPIRETIME; OBJECT ENCODING; OBJECT REFCOUNT; MEMORY USAGE
DEL; UNLINK; RENAME; RENAMENX; FLUSHDB; FLUSHDB SYNC; FLUSHDB ASYNC; FLUSHALL; FLUSHALL SYNC; FLUSHALL ASYNC
EXPIRE; EXPIRE NX; EXPIRE XX; EXPIRE GT; EXPIRE LT; PEXPIRE; PEXPIRE NX; PEXPIRE XX; PEXPIRE GT; PEXPIRE LT
EXPIREAT; EXPIREAT NX; EXPIREAT XX; EXPIREAT GT; EXPIREAT LT; PEXPIREAT; PEXPIREAT NX; PEXPIREAT XX; PEXPIREAT GT
PEXPIREAT LT; PERSIST
MULTI; EXEC; DISCARD; WATCH; UNWATCH
HELLO; HELLO SETNAME; PING; ECHO; SELECT; QUIT; RESET; TIME; INFO; COMMAND COUNT; COMMAND INFO; COMMAND DOCS
CLIENT ID; CLIENT INFO; CLIENT GETNAME; CLIENT SETNAME; CLIENT REPLY; CLIENT REPLY SKIP; CLIENT NO-EVICT
CLIENT GETREDIR
CLIENT TRACKINGINFO; CLIENT LIST; CLIENT LIST ID; CLIENT LIST TYPE; CLIENT KILL; CLIENT KILL ID; CLIENT KILL TYPE
CLIENT KILL ADDR; CLIENT KILL LADDR; CLIENT KILL USER; CLIENT KILL SKIPME; CLIENT UNBLOCK; CLIENT UNBLOCK TIMEOUT
CLIENT UNBLOCK ERROR; CONFIG GET; CONFIG SET; CONFIG RESETSTAT
"""
REQUIRED = [tag.strip() for tag in re.split("[;\n]", TAGS) if tag.strip()]
WORD = re.compile(r"(?<![a-z-])[A-Z][A-Z-]+\b(?!-[a-z])")


# Words of the table that no tag has and no reason excuses.
def not_covered(docs: str) -> list[str]:
    missing = []
    for line in docs.splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) != 3 or not WORD.match(cells[0]):
            continue
        names = WORD.findall(cells[0])
        containers = [name for name in names if name in ("XINFO", "XGROUP", "CLIENT", "CONFIG", "OBJECT", "MEMORY")]
        for word in names + WORD.findall(cells[1]):
            # A container's words are subcommands; an option belongs to any command of its row.
            of = containers or names
            known = any(word in tag.split() and (tag.split()[0] in of or word == tag.split()[0]) for tag in REQUIRED)
            excused = (word, "*") in NOT_COMPARED or any(
                (name, word) in NOT_COMPARED or (name, "*") in NOT_COMPARED for name in names)  # fmt: skip
            if not known and not excused:
                missing.append(f"{word} ({cells[0][:40]})")
    return missing


# What is too little, in words; none when all is well.
def complaints(answers: Counter, docs: str | None = None) -> list[str]:
    found = [f"{tag}: {answers[tag]} answers, {ENOUGH} are needed" for tag in REQUIRED if answers[tag] < ENOUGH]
    found += [f"{tag} is counted and not in the list" for tag in answers if tag not in REQUIRED]
    words = not_covered(docs or DOCS.read_text())
    return found + [f"docs/redis.md names {word}, which is not covered" for word in words]


def table(answers: Counter) -> str:
    return "\n".join(f"  {tag:28} {answers[tag]}" for tag in sorted(REQUIRED))
