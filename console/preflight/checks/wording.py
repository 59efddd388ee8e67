"""Commands and quantities inside findings: they are parameters, never translated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

#: Program or need -> packages of Debian's family, packages of RHEL's family.
PACKAGES: dict[str, tuple[str, str]] = {
    "timeout": ("coreutils", "coreutils"),
    "flock": ("util-linux", "util-linux"),
    "sync": ("coreutils", "coreutils"),
    "awk": ("mawk", "gawk"),
    "sha256sum": ("coreutils", "coreutils"),
    "sysctl": ("procps", "procps-ng"),
    "gzip": ("gzip", "gzip"),
    "ip": ("iproute2", "iproute"),
    "ipvsadm": ("ipvsadm", "ipvsadm"),
    "nft": ("nftables", "nftables"),
    "conntrack": ("conntrack", "conntrack-tools"),
    "virsh": ("libvirt-clients libvirt-daemon-system", "libvirt-client libvirt-daemon"),
    "qemu": ("libvirt-daemon-system qemu-system", "libvirt-daemon-driver-qemu qemu-kvm"),
    "lxc": ("libvirt-daemon-driver-lxc", "libvirt-daemon-driver-lxc"),
    "qemu-img": ("qemu-utils", "qemu-img"),
    "python3": ("python3", "python3"),
    "curl": ("curl", "curl"),
    "chrony": ("chrony", "chrony"),
}
#: More names than this are counted, not listed.
_LISTED = 8


def install(need: str) -> dict[str, str | int]:
    """The commands that install what a need takes."""
    debian, rhel = PACKAGES[need]
    return {"debian": f"apt-get install -y {debian}", "rhel": f"dnf install -y {rhel}"}


def upgrade(need: str) -> dict[str, str | int]:
    """The commands that bring the newest packaged version of it."""
    debian, rhel = PACKAGES[need]
    return {
        "debian": f"apt-get install -y --only-upgrade {debian}",
        "rhel": f"dnf upgrade -y {rhel}",
    }


def fuller_kernel() -> dict[str, str | int]:
    """The commands that install the distribution's kernel with all its modules."""
    return {
        "debian": "apt-get install -y linux-image-$(dpkg --print-architecture) && reboot",
        "rhel": "dnf install -y kernel kernel-modules && reboot",
    }


def names(words: Sequence[str]) -> str:
    """The words with commas; of many the first ones and how many more."""
    shown = ", ".join(words[:_LISTED])
    return shown if len(words) <= _LISTED else f"{shown}, … (+{len(words) - _LISTED})"


def sysctl_command(settings: Iterable[str]) -> str:
    return "sysctl -w " + " ".join(settings)


def size(count: int | None) -> str:
    """Bytes as people read them: "3.9 GiB"; a dash where it is not known."""
    if count is None:
        return "–"
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def duration(seconds: float) -> str:
    """Seconds as people read them: "4 ms", "12.5 s", "3.0 h"."""
    amount = abs(seconds)
    if amount < 1:
        return f"{amount * 1000:.0f} ms"
    if amount < 600:
        return f"{amount:.1f} s"
    return f"{amount / 3600:.1f} h" if amount < 172800 else f"{amount / 86400:.1f} d"


def signed(seconds: float) -> str:
    """A duration with its sign: "+" where the machine's clock is ahead."""
    text = duration(seconds)
    return text if text == "0 ms" else ("−" if seconds < 0 else "+") + text


def is_at_least(version: str, wanted: tuple[int, ...]) -> bool:
    """Whether a dotted version is not older than the wanted one."""
    parts = tuple(int(part) for part in version.split(".") if part.isascii() and part.isdigit())
    return parts >= wanted
