"""The `sysctl` of a fake director: files below its own /proc/sys.

Understands `-qw NAME=VALUE…`, `-q -p FILE`, `-q -p -` and `-n NAME`, and answers in the words of
procps 4.0. What the kernel does to the settings of IPVS is done here: guards keep 0 to 3
and show 2 as 1, a threshold of synchronisation is below its period.
"""

from __future__ import annotations

import sys
from pathlib import Path

GUARDS = {"drop_entry", "drop_packet", "secure_tcp"}
#: As a 6.1 kernel starts.
DEFAULTS = {
    "am_droprate": "10", "amemthresh": "1024", "backup_only": "0", "cache_bypass": "0",
    "conn_reuse_mode": "1", "conntrack": "0", "drop_entry": "0", "drop_packet": "0",
    "expire_nodest_conn": "0", "expire_quiescent_template": "0", "ignore_tunneled": "0",
    "lblc_expiration": "86400", "lblcr_expiration": "86400", "nat_icmp_send": "0",
    "pmtu_disc": "1", "run_estimation": "1", "schedule_icmp": "0", "secure_tcp": "0",
    "sloppy_sctp": "0", "sloppy_tcp": "0", "snat_reroute": "1", "sync_persist_mode": "0",
    "sync_ports": "1", "sync_qlen_max": "30622", "sync_refresh_period": "0",
    "sync_retries": "0", "sync_sock_size": "0", "sync_threshold": "3\t50", "sync_version": "1",
}  # fmt: skip


def boot(root: Path) -> None:
    """Write the settings as the kernel starts with them."""
    place = root / "net/ipv4/vs"
    place.mkdir(parents=True, exist_ok=True)
    for name, value in DEFAULTS.items():
        (place / name).write_text(f"{value}\n")
    (root / "net/netfilter").mkdir(parents=True, exist_ok=True)
    (root / "net/netfilter/nf_conntrack_count").write_text("7\n")
    (root / "net/netfilter/nf_conntrack_max").write_text("65536\n")


def main(root: Path, words: list[str]) -> int:
    if words[0] == "-n":
        path = root / words[1].replace(".", "/")
        if path.exists():
            print(path.read_text().strip())
        return not path.exists()
    if "-p" in words:
        source = words[words.index("-p") + 1]
        text = sys.stdin.read() if source == "-" else Path(source).read_text()
        pairs = [line.split("=", 1) for line in text.splitlines() if "=" in line]
    else:
        pairs = [word.split("=", 1) for word in words if "=" in word]
    return max([_write(root, name.strip(), value.strip()) for name, value in pairs], default=0)


def _write(root: Path, name: str, value: str) -> int:
    path = root / name.replace(".", "/")
    if not path.exists():
        print(f"sysctl: cannot stat /proc/sys/{name.replace('.', '/')}: "
              "No such file or directory", file=sys.stderr)  # fmt: skip
        return 1
    short = path.name
    if short in GUARDS:
        if value not in ("0", "1", "2", "3"):
            print(f'sysctl: setting key "{name}": Invalid argument', file=sys.stderr)
            return 1
        value = "1" if value == "2" else value
    if short == "sync_threshold":
        first, period = map(int, value.split())
        if period and first >= period:
            print(f'sysctl: setting key "{name}": Invalid argument', file=sys.stderr)
            return 1
        value = f"{first}\t{period}"
    path.write_text(f"{value}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
