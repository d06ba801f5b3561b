"""Runs one client library's program against tocsin, without and with a password, in both protocol versions where it has
a choice, and sees that what it published came to the user.

    clients.py TOCSIN BUILD_DIR NAME [PROGRAM]     NAME: redis_py, ioredis, node_redis, redis_cli, hiredis
"""

import json
import os
import shutil
import subprocess
import sys
import urllib.request
import venv
from pathlib import Path

from servers import API_KEY, Tocsin, skip

HERE = Path(__file__).resolve().parent


# A virtual environment of the build directory, with what requirements.txt pins.
def python(build: Path) -> str:
    directory = build / "interop" / "venv"
    program = directory / "bin" / "python"
    wanted = (HERE / "requirements.txt").read_text()
    stamp = directory / "requirements.txt"
    if not stamp.exists() or stamp.read_text() != wanted:
        venv.create(directory, with_pip=True, clear=True)
        install = [str(program), "-m", "pip", "install", "--quiet", "-r", str(HERE / "requirements.txt")]
        if subprocess.run(install).returncode != 0:
            skip("redis-py cannot be installed: is there a package index?")
        stamp.write_text(wanted)
    return str(program)


# The packages of the lock file.
def node() -> str:
    program, npm = shutil.which("node"), shutil.which("npm")
    if program is None or npm is None:
        skip("node or npm is missing: apt-get install nodejs npm")
    wanted = (HERE / "package-lock.json").read_text()
    stamp = HERE / "node_modules" / ".installed"
    if not stamp.exists() or stamp.read_text() != wanted:
        if subprocess.run([npm, "--prefix", str(HERE), "ci", "--no-audit", "--no-fund"], stdout=subprocess.DEVNULL).returncode != 0:
            skip("the npm packages cannot be installed: is there a registry?")
        stamp.write_text(wanted)
    return program


def command(name: str, build: Path, program: str) -> tuple[list[str], list[str]]:
    """The command, and the protocol versions that it can be told to speak."""
    if name == "redis_py":
        return [python(build), str(HERE / "client_redis_py.py")], ["2", "3"]
    if name == "ioredis":
        return [node(), str(HERE / "client_ioredis.mjs")], [""]
    if name == "node_redis":
        return [node(), str(HERE / "client_node_redis.mjs")], ["2", "3"]
    if name == "redis_cli":
        if shutil.which("redis-cli") is None:
            skip("redis-cli is missing: apt-get install redis-tools")
        return [str(HERE / "client_redis_cli.sh")], ["2", "3"]
    if name == "hiredis":
        if not program:
            skip("hiredis is missing: apt-get install libhiredis-dev, then configure again")
        return [program], [""]
    raise SystemExit(f"no client {name}")


# The texts of the user's inbox.
def inbox(tocsin: Tocsin, user: str) -> dict[str, str]:
    url = f"http://127.0.0.1:{tocsin.http_port}/v1/pull?since=all"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {tocsin.token(user)}"})
    with urllib.request.urlopen(request, timeout=60) as response:
        frames = json.load(response)["frames"]
    return {item["nid"]: item["body"] for frame in frames for item in frame.get("items", [])}


def main() -> int:
    binary, build, name = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    words, versions = command(name, build, sys.argv[4] if len(sys.argv) > 4 else "")
    for auth in ("off", "required"):
        for version in versions:
            with Tocsin(binary, {"redis_auth": auth}) as tocsin:
                user = f"{name}-{auth}-{version or 'any'}"
                environment = {**os.environ, "TOCSIN_REDIS_PORT": str(tocsin.port), "TOCSIN_TEST_USER": user}
                if auth == "required":
                    environment["TOCSIN_REDIS_PASSWORD"] = API_KEY
                if version:
                    environment["TOCSIN_REDIS_PROTOCOL"] = version
                done = subprocess.run(words, env=environment, stdout=subprocess.PIPE, text=True, timeout=240)
                if done.returncode != 0:
                    print(f"{name} failed with {done.returncode} (redis_auth {auth}, RESP {version or 'its own'})")
                    return 1
                published = done.stdout.split()
                received = inbox(tocsin, user)
                if not published or list(received) != published:
                    print(f"{name} published {published}, the user received {received}")
                    return 1
                print(f"{name}: redis_auth {auth}, RESP {version or 'its own'}: {len(published)} published and received")
    return 0


if __name__ == "__main__":
    sys.exit(main())
