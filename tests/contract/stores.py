"""Stores: what a service under test keeps its data in. Embedded, or a Redis deployment of our own: processes on free
ports, in directories below one that the test removes, gone with stop() whatever came before.

Every Redis here syncs each answer (appendfsync always), so that all stores promise the same: durability `sync`."""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import redis
import redis.cluster
import redis.sentinel

WAIT_S = 60  # for what must happen; no measure of speed
PASSWORD = "p@ss/word:of}tocsin"  # has to be percent-encoded in a URL
USER = "tocsin"
INGEST = "notifications_stream"


class Skip(Exception):
    """This store cannot be had here; the words say what is missing."""


# What Tocsin needs as an ACL user (docs/redis-store.md): no FLUSHALL, no KEYS, no SHUTDOWN, no CONFIG SET.
ACL_RULES = "~* &* +@all -@dangerous +info +config|get"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# Waits until `probe` answers something true, and answers that. What it raises of Redis or the network counts as "not yet".
def until(probe: Callable[[], object], what: str) -> object:
    end = time.monotonic() + WAIT_S
    last: Exception | None = None
    while time.monotonic() < end:
        try:
            found = probe()
            if found:
                return found
        except (OSError, redis.RedisError) as error:
            last = error
        time.sleep(0.05)
    raise TimeoutError(f"waited {WAIT_S} s until {what}; the last failure was {last!r}")


class RedisProcess:
    """One redis-server (or Sentinel): its configuration file, its directory, its process."""

    def __init__(self, directory: Path, name: str, lines: list[str], sentinel: bool = False, tls: "Tls | None" = None,
                 user: tuple[str, str] | None = None):  # fmt: skip
        if shutil.which("redis-server") is None:
            raise Skip("redis-server is missing: apt-get install redis-server")
        self.directory = directory / name
        self.directory.mkdir(parents=True)
        self.port = free_port()
        self.sentinel, self.tls, self.user = sentinel, tls, user
        self.process: subprocess.Popen | None = None
        ports = [f"port {self.port}"] if tls is None else ["port 0", f"tls-port {self.port}", *tls.lines()]
        if not sentinel:
            lines = ["save \"\"", "appendonly yes", "appendfsync always", "repl-diskless-sync-delay 0", *lines]
        self.configuration = self.directory / "redis.conf"
        self.configuration.write_text("\n".join([
            *ports, "bind 127.0.0.1", f"dir {self.directory}", f"logfile {self.directory}/log", *lines, ""]))  # fmt: skip

    def start(self, ready: bool = True) -> None:
        assert self.process is None
        words = ["redis-server", str(self.configuration), *(["--sentinel"] if self.sentinel else [])]
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if ready:
            self.wait()

    def wait(self) -> None:
        def answers() -> bool:
            if self.process.poll() is not None:
                raise RuntimeError(f"redis-server ended at once; its log says\n{self.log_tail()}")
            return self.client().ping()

        until(answers, f"the redis-server in {self.directory} answers")

    def log_tail(self) -> str:
        log = self.directory / "log"
        return log.read_text(errors="replace")[-2000:] if log.exists() else ""

    # A connection of the one server, with every right.
    def client(self, **options: object) -> redis.Redis:
        options = {"decode_responses": True, "protocol": 2, "socket_timeout": 30, **options}
        if self.tls is not None:
            options |= self.tls.client_options()
        if self.user is not None:
            options |= {"username": self.user[0], "password": self.user[1]}
        return redis.Redis(port=self.port, **options)

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    # As a crash ends it; what the kernel has is kept.
    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


class Tls:
    """A certificate authority, a server's and a client's certificate, as files."""

    def __init__(self, directory: Path):
        if shutil.which("openssl") is None:
            raise Skip("openssl is missing: apt-get install openssl")
        directory.mkdir(parents=True)
        self.ca, self.cert, self.key = directory / "ca.crt", directory / "tocsin.crt", directory / "tocsin.key"
        self.server_cert, self.server_key = directory / "server.crt", directory / "server.key"
        names = directory / "names"
        names.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]

        def openssl(*words: object) -> None:
            subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)

        openssl("req", "-x509", *new_key, "-days", 2, "-subj", "/CN=test authority", "-keyout", directory / "ca.key", "-out", self.ca)
        for who, cert, key in (("server", self.server_cert, self.server_key), ("tocsin", self.cert, self.key)):
            request = directory / f"{who}.csr"
            openssl("req", *new_key, "-subj", f"/CN={who}", "-keyout", key, "-out", request)
            openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", directory / "ca.key", "-CAcreateserial", "-days", 2,
                    "-extfile", names, "-out", cert)  # fmt: skip

    def lines(self) -> list[str]:
        return [f"tls-cert-file {self.server_cert}", f"tls-key-file {self.server_key}", f"tls-ca-cert-file {self.ca}",
                "tls-auth-clients yes", "tls-replication yes"]  # fmt: skip

    def client_options(self) -> dict[str, object]:
        return {"ssl": True, "ssl_ca_certs": str(self.ca), "ssl_certfile": str(self.cert), "ssl_keyfile": str(self.key)}

    def query(self) -> str:
        return f"?ca={self.ca}&cert={self.cert}&key={self.key}"


class Store:
    """What the suite needs of one."""

    name = ""
    nodes = 2  # how many Tocsin processes run on it

    def __init__(self, directory: Path):
        self.directory = directory / self.name
        self.processes: list[RedisProcess] = []

    def start(self) -> None:
        for process in self.processes:
            process.start()

    def stop(self) -> None:
        for process in self.processes:
            process.kill()

    # The `store` setting.
    def url(self) -> str:
        raise NotImplementedError

    # What a producer connects to, as redis-py. `port`: that of Tocsin's own Redis port, where it has one.
    def producer(self, port: int, api_key: str) -> redis.Redis:
        raise NotImplementedError


class Embedded(Store):
    name = "embedded"
    nodes = 1

    def url(self) -> str:
        return "embedded"

    def producer(self, port: int, api_key: str) -> redis.Redis:
        return redis.Redis(port=port, password=api_key, decode_responses=True, protocol=2)


class Standalone(Store):
    name = "redis"

    def __init__(self, directory: Path):
        super().__init__(directory)
        self.processes = [RedisProcess(self.directory, "server", [])]

    def url(self) -> str:
        return f"redis://127.0.0.1:{self.processes[0].port}"

    def producer(self, port: int, api_key: str) -> redis.Redis:
        return self.processes[0].client()


class StandaloneTls(Store):
    """TLS with client certificates, and a user of its own with few rights."""

    name = "redis-tls"

    def __init__(self, directory: Path):
        super().__init__(directory)
        self.tls = Tls(self.directory / "tls")
        lines = ["user default off", f"user {USER} on >{PASSWORD} {ACL_RULES}", "user boss on >boss ~* &* +@all"]
        self.processes = [RedisProcess(self.directory, "server", lines, tls=self.tls, user=("boss", "boss"))]

    def url(self) -> str:
        return f"rediss://{USER}:{percent(PASSWORD)}@127.0.0.1:{self.processes[0].port}{self.tls.query()}"

    def producer(self, port: int, api_key: str) -> redis.Redis:
        return self.processes[0].client()


class Cluster(Store):
    """Three primaries, a replica each."""

    name = "cluster"
    PRIMARIES = 3

    def __init__(self, directory: Path):
        super().__init__(directory)
        lines = ["cluster-enabled yes", "cluster-node-timeout 2000", "cluster-config-file nodes.conf"]
        self.processes = [
            RedisProcess(self.directory, f"node{n}", [*lines, f"cluster-port {free_port()}"]) for n in range(2 * self.PRIMARIES)
        ]  # fmt: skip

    def start(self) -> None:
        super().start()
        clients = [process.client() for process in self.processes]
        primaries, replicas = clients[: self.PRIMARIES], clients[self.PRIMARIES :]
        ids = [client.execute_command("CLUSTER MYID") for client in clients]
        share = 16384 // self.PRIMARIES + 1
        for n, client in enumerate(primaries):
            client.execute_command("CLUSTER ADDSLOTSRANGE", n * share, min((n + 1) * share, 16384) - 1)
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", n + 1)
        for process in self.processes[1:]:
            bus = int(process.client().config_get("cluster-port")["cluster-port"])
            clients[0].execute_command("CLUSTER MEET", "127.0.0.1", process.port, bus)
        until(lambda: all(client.execute_command("CLUSTER NODES").__len__() == len(clients) for client in clients),
              "every node knows every other")  # fmt: skip
        for n, client in enumerate(replicas):
            until(lambda: client.execute_command("CLUSTER REPLICATE", ids[n]), "a replica knows its primary")
        until(lambda: all(client.cluster("INFO")["cluster_state"] == "ok" for client in clients), "the Cluster is whole")
        until(lambda: all(client.info("replication")["connected_slaves"] == 1 for client in primaries), "the replicas follow")
        until(lambda: all(client.info("replication")["master_link_status"] == "up" for client in replicas), "they are in step")

    def url(self) -> str:
        return "redis-cluster://" + ",".join(f"127.0.0.1:{process.port}" for process in self.processes[:2])

    def producer(self, port: int, api_key: str) -> redis.Redis:
        return redis.cluster.RedisCluster(port=self.processes[0].port, host="127.0.0.1", decode_responses=True, protocol=2)

    # The process that is primary for the slot of `key` now.
    def primary_of(self, key: str) -> RedisProcess:
        node = self.producer(0, "").get_node_from_key(key)
        return next(process for process in self.processes if process.port == node.port)


class Sentinels(Store):
    """A primary, two replicas, three Sentinels."""

    name = "sentinel"
    PRIMARY = "mymaster"

    def __init__(self, directory: Path):
        super().__init__(directory)
        self.tls = self.make_tls()
        primary = RedisProcess(self.directory, "server0", [], tls=self.tls)
        replicas = [
            RedisProcess(self.directory, f"server{n}", [f"replicaof 127.0.0.1 {primary.port}"], tls=self.tls) for n in (1, 2)
        ]  # fmt: skip
        lines = [
            f"sentinel monitor {self.PRIMARY} 127.0.0.1 {primary.port} 2",
            f"sentinel down-after-milliseconds {self.PRIMARY} 1000",
            f"sentinel failover-timeout {self.PRIMARY} 5000",
        ]
        self.servers = [primary, *replicas]
        self.sentinels = [
            RedisProcess(self.directory, f"sentinel{n}", lines, sentinel=True, tls=self.tls) for n in range(3)
        ]  # fmt: skip
        self.processes = self.servers + self.sentinels

    def make_tls(self) -> Tls | None:
        return None

    def start(self) -> None:
        super().start()
        until(lambda: all(server.client().info("replication")["master_link_status"] == "up" for server in self.servers[1:]),
              "the replicas are in step")  # fmt: skip

        def knows(sentinel: RedisProcess) -> bool:
            state = sentinel.client().sentinel_master(self.PRIMARY)
            return state["num-slaves"] == 2 and state["num-other-sentinels"] == 2

        until(lambda: all(knows(sentinel) for sentinel in self.sentinels), "the Sentinels know all")

    def url(self) -> str:
        scheme, query = ("redis-sentinel", "") if self.tls is None else ("rediss-sentinel", self.tls.query())
        return f"{scheme}://" + ",".join(f"127.0.0.1:{s.port}" for s in self.sentinels) + f"/{self.PRIMARY}{query}"

    def producer(self, port: int, api_key: str) -> redis.Redis:
        options = {} if self.tls is None else self.tls.client_options()
        finder = redis.sentinel.Sentinel([("127.0.0.1", s.port) for s in self.sentinels], sentinel_kwargs=options, **options)
        return finder.master_for(self.PRIMARY, decode_responses=True, protocol=2, socket_timeout=30, **options)

    # The process that the Sentinels call the primary now.
    def primary(self) -> RedisProcess:
        _, port = self.sentinels[0].client().sentinel_get_master_addr_by_name(self.PRIMARY)
        return next(server for server in self.servers if server.port == int(port))


class SentinelsTls(Sentinels):
    """TLS everywhere: to the servers, to the Sentinels, and between them."""

    name = "sentinel-tls"

    def make_tls(self) -> Tls:
        return Tls(self.directory / "tls")


def percent(text: str) -> str:
    return "".join(c if c.isalnum() else f"%{ord(c):02X}" for c in text)


STORES: dict[str, type[Store]] = {kind.name: kind for kind in (Embedded, Standalone, StandaloneTls, Cluster, Sentinels, SentinelsTls)}
