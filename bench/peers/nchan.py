"""nginx + Nchan, Debian's packages: one worker, a channel per user, message buffer in memory."""

import shutil
from pathlib import Path

from peers.peer import BenchError, Peer, first_version, output

MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
CONFIG = Path(__file__).parent / "nchan" / "nginx.conf"


class Nchan(Peer):
    name = "nchan"
    title = "nginx + Nchan"
    load_peer = "nchan"
    durability = "memory"
    session = "none"
    acks = "none"

    def missing(self) -> str:
        if shutil.which("nginx", path="/usr/sbin:/usr/bin") and MODULE.exists():
            return ""
        return "nginx with Nchan is missing: apt-get install nginx libnginx-mod-nchan"

    def version(self) -> str:
        nchan = output("dpkg-query", "-W", "-f", "${Version}", "libnginx-mod-nchan")
        return f"nginx {first_version(output('/usr/sbin/nginx', '-v'))}, Nchan {nchan}"

    def launch(self) -> None:
        config = self.directory / "nginx.conf"
        if any(c in str(self.directory) for c in " ;{}$"):
            raise BenchError(f"nginx cannot be given this path: {self.directory}")
        text = CONFIG.read_text()
        for mark, value in {"@MODULE@": MODULE, "@DIR@": self.directory, "@PORT@": self.port}.items():
            text = text.replace(mark, str(value))
        config.write_text(text)
        # Workers may have to read below a home directory: they run as who started the benchmark.
        self.spawn("/usr/sbin/nginx", "-p", str(self.directory), "-c", str(config), "-g", f"user {self.user()};")

    def user(self) -> str:
        return output("id", "-un")
