"""A bare relay: what a push costs when nothing is kept, checked or acknowledged. uWebSockets.js, or Node + ws."""

import hashlib
import shutil
import subprocess
from pathlib import Path

from peers.peer import BenchError, Peer, output

SOURCE = Path(__file__).parent / "relay"


class Relay(Peer):
    name = "relay"
    title = "uWebSockets.js relay"
    load_peer = "relay"
    durability = "none"
    session = "none"
    acks = "none"
    script = "uws.js"
    package = "uwebsockets"

    @property
    def modules(self) -> Path:
        return self.build / "relay"

    def missing(self) -> str:
        if shutil.which("node") and shutil.which("npm"):
            return ""
        return "Node is missing: apt-get install nodejs npm"

    def prepare(self) -> None:
        package = SOURCE / "package.json"
        wanted = hashlib.sha256(package.read_bytes()).hexdigest()
        stamp = self.modules / "installed"
        if not stamp.exists() or stamp.read_text() != wanted:
            print("  installing uWebSockets.js and ws into build/bench/relay ...", flush=True)
            shutil.rmtree(self.modules, ignore_errors=True)
            self.modules.mkdir(parents=True)
            shutil.copy(package, self.modules)
            done = subprocess.run(
                ["npm", "install", "--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund", "--silent"],
                cwd=self.modules, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            )  # fmt: skip
            if done.returncode != 0:
                raise BenchError(f"could not install the relay:\n{done.stdout.strip()}")
            stamp.write_text(wanted)
        self.loads()

    # The binary in the package belongs to some versions of Node and of the C library.
    def loads(self) -> None:
        command = ["node", "-e", f"require({self.package!r})"]
        done = subprocess.run(
            command, cwd=self.modules, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if done.returncode != 0:
            raise BenchError(f"{self.package} does not load here (--peers relay-ws works without a binary):\n{done.stdout}")

    def version(self) -> str:
        query = f"console.log(require('./node_modules/{self.package}/package.json').version)"
        done = subprocess.run(["node", "-e", query], cwd=self.modules, capture_output=True, text=True, check=False)
        return f"Node {output('node', '--version')}, {self.package} {done.stdout.strip()}"

    def launch(self) -> None:
        # Beside its modules, where Node looks for them.
        script = self.modules / self.script
        shutil.copy(SOURCE / self.script, script)
        self.spawn("node", str(script), str(self.port))


class RelayWs(Relay):
    name = "relay-ws"
    title = "Node + ws relay"
    script = "ws.js"
    package = "ws"
