"""Turns the packages' root file system into the rack's two disks, its kernel and its initial
RAM disk. Runs as root, or as a user under `fakeroot`:

    python3 -m lab.assemble ROOTFS.tar OUTDIR

OUTDIR must already hold `key.pub` and `hostkeys/NAME` with `hostkeys/NAME.pub`. It receives
`vmlinuz`, `initrd`, `base.raw` (read only, the same for every machine) and `nodes.raw` (one
overlay directory per machine).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

from lab import topology
from lab.host import tool
from lab.topology import Machine

GUEST = Path(__file__).parent / "guest"
UNITS = "etc/systemd/system"
BASE_SIZE = "2G"
NODES_SIZE = "16G"

MASKED_UNLESS_DIRECTOR = ("ipvsadm.service", "keepalived.service")

SSHD_CONFIG = """\
PermitRootLogin prohibit-password
PasswordAuthentication no
UseDNS no
PrintMotd no
"""


def words(name: str) -> list[str]:
    """The lines of a list in `guest/`, without its comments."""
    lines = (GUEST / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


class Tree:
    """A directory that is, or is laid over, a machine's root."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def _place(self, path: str) -> Path:
        """Where a file goes, with nothing there yet. A directory laid over another one gives it
        its own mode, so new ones are readable whatever the caller's umask is."""
        target = self.root / path
        missing = [p for p in (target.parent, *target.parent.parents) if not p.exists()]
        for directory in reversed(missing):
            directory.mkdir()
            directory.chmod(0o755)
        target.unlink(missing_ok=True)
        return target

    def write(self, path: str, text: str, mode: int = 0o644) -> Path:
        target = self._place(path)
        target.write_text(text)
        target.chmod(mode)
        return target

    def copy(self, source: Path, path: str, mode: int = 0o644) -> None:
        self.write(path, source.read_text(), mode)

    def link(self, path: str, to: str) -> None:
        self._place(path).symlink_to(to)

    def mask(self, units: tuple[str, ...] | list[str]) -> None:
        for unit in units:
            self.link(f"{UNITS}/{unit}", "/dev/null")

    def unit(self, name: str, wanted_by: str, instance: str = "") -> None:
        """Install one of the rack's own units and enable it."""
        self.copy(GUEST / name, f"{UNITS}/{name}")
        enabled = name.replace("@.", f"@{instance}.")
        self.link(f"{UNITS}/{wanted_by}.wants/{enabled}", f"../{name}")


def prepare_base(root: Path, public_key: str) -> None:
    """What every machine of the rack has in common."""
    tree = Tree(root)
    for pattern in (
        "boot/initrd*",
        "etc/ssh/ssh_host_*",
        "etc/apt/apt.conf.d/99mmdebstrap",
        "etc/apt/auth.conf",
        "initrd.img*",
        "vmlinuz*",
        f"{UNITS}/multi-user.target.wants/libvirtd.service",
    ):
        for found in root.glob(pattern):
            found.unlink()
    tree.write("etc/fstab", "")
    tree.write("etc/resolv.conf", "")
    tree.write("etc/machine-id", "")
    tree.link(f"{UNITS}/default.target", "/lib/systemd/system/multi-user.target")
    tree.mask(words("masked-everywhere.txt"))
    # Started by D-Bus when something asks for it, as `systemctl reboot` does; not at boot.
    tree.link(f"{UNITS}/multi-user.target.wants/systemd-logind.service", "/dev/null")
    drop_sessions(tree)
    tree.write("etc/systemd/journald.conf.d/lab.conf", "[Journal]\nStorage=volatile\n")
    tree.write("etc/ssh/sshd_config.d/lab.conf", SSHD_CONFIG)
    tree.write(
        f"etc/sudoers.d/{topology.USER}", f"{topology.USER} ALL=(ALL:ALL) NOPASSWD: ALL\n", 0o440
    )
    authorize(tree, "root", "root", 0, 0, public_key)
    uid, gid = identity(root, topology.USER)
    authorize(tree, topology.USER, f"home/{topology.USER}", uid, gid, public_key)
    for directory in ("base", "data"):
        (root / "var/lib/rack" / directory).mkdir(parents=True)


def drop_sessions(tree: Tree) -> None:
    """No session scope and no user manager at every log-in: seconds under emulation."""
    path = "etc/pam.d/common-session"
    lines = (tree.root / path).read_text().splitlines(keepends=True)
    tree.write(path, "".join(line for line in lines if "pam_systemd" not in line))


def identity(root: Path, user: str) -> tuple[int, int]:
    """A user's numeric ids, from the tree's own passwd file."""
    for line in (root / "etc/passwd").read_text().splitlines():
        fields = line.split(":")
        if fields[0] == user:
            return int(fields[2]), int(fields[3])
    raise LookupError(f"{root}/etc/passwd has no user {user}")


def authorize(tree: Tree, user: str, home: str, uid: int, gid: int, public_key: str) -> None:
    written = tree.write(f"{home}/.ssh/authorized_keys", public_key, 0o600)
    written.parent.chmod(0o700)
    os.chown(written, uid, gid)
    os.chown(written.parent, uid, gid)


def prepare_machine(data: Path, machine: Machine, keys: Path) -> Tree:
    """The part of an overlay that every machine needs: its identity."""
    overlay = data / machine.name
    (overlay / "work").mkdir(parents=True)
    tree = Tree(overlay / "up")
    tree.write("etc/hostname", f"{machine.name}\n")
    tree.write("etc/hosts", topology.hosts_file(machine.name))
    tree.write("etc/machine-id", f"{uuid.uuid4().hex}\n")
    tree.copy(keys / machine.name, "etc/ssh/ssh_host_ed25519_key", 0o600)
    tree.copy(keys / f"{machine.name}.pub", "etc/ssh/ssh_host_ed25519_key.pub")
    return tree


def prepare_hypervisor(data: Path, keys: Path) -> None:
    tree = prepare_machine(data, topology.HYPERVISOR, keys)
    tree.mask(words("masked-hypervisor.txt"))
    tree.copy(GUEST / "rack-network", "usr/local/sbin/rack-network", 0o755)
    tree.copy(GUEST / "rack-node", "usr/local/sbin/rack-node", 0o755)
    tree.unit("rack-network.service", "sysinit.target")
    tree.unit("rack-ready.service", "multi-user.target")
    # Without a limit on idleness, so that the daemon in the template stays warm.
    tree.write("etc/default/libvirtd", 'LIBVIRTD_ARGS=""\n')
    for node in topology.NODES:
        tree.unit("rack-node@.service", "multi-user.target", node.name)
        tree.write(f"etc/rack/{node.name}.links", topology.links_file(node))


def prepare_node(data: Path, node: Machine, keys: Path) -> None:
    tree = prepare_machine(data, node, keys)
    tree.mask(words("masked-nodes.txt"))
    if node.role != "director":
        tree.mask(MASKED_UNLESS_DIRECTOR)
    for name, text in zip(("network4", "network6"), topology.network_files(node), strict=True):
        tree.write(f"etc/lab/{name}", text)
    tree.unit("lab-network.service", "sysinit.target")
    sysctls = topology.sysctl_file(node)
    if sysctls:
        tree.write("etc/sysctl.d/90-lab.conf", sysctls)
    if node.role == "realserver":
        tree.copy(GUEST / "realserver", "usr/local/sbin/realserver", 0o755)
        tree.unit("realserver.service", "multi-user.target")
    if node.name in topology.DR_REAL_SERVERS:
        tree.write("etc/lab/loopback", topology.loopback_file())
        tree.unit("dr-addresses.service", "sysinit.target")
    if node.name == topology.PASSWORD_MACHINE:
        match = f"Match User {topology.USER}\n    PasswordAuthentication yes\n"
        tree.write("etc/ssh/sshd_config.d/password.conf", match)


def make_initrd(root: Path, out: Path, scratch: Path) -> None:
    """The smallest initial RAM disk that mounts the root: busybox and a few modules."""
    for directory in ("bin", "dev", "proc", "root", "base", "data", "modules"):
        (scratch / directory).mkdir(parents=True)
    shutil.copy2(root / "bin/busybox", scratch / "bin/busybox")
    (scratch / "bin/sh").symlink_to("busybox")
    kernel = next((root / "lib/modules").iterdir()) / "kernel"
    order = []
    for module in words("initrd-modules.txt"):
        source = kernel / f"{module}.ko"
        if source.exists():
            shutil.copy2(source, scratch / "modules" / source.name)
            order.append(source.name)
    (scratch / "modules/order").write_text("".join(f"{name}\n" for name in order))
    shutil.copy2(GUEST / "initrd-init", scratch / "init")
    (scratch / "init").chmod(0o755)
    os.mknod(scratch / "dev/console", 0o20600, os.makedev(5, 1))
    names = sorted(str(p.relative_to(scratch)) for p in scratch.rglob("*"))
    with out.open("wb") as archive:
        subprocess.run(
            [tool("cpio"), "-o", "-H", "newc", "--quiet"],
            cwd=scratch,
            input="".join(f"{name}\n" for name in names).encode(),
            stdout=archive,
            check=True,
        )


def make_disk(tree: Path, out: Path, size: str, *options: str) -> None:
    subprocess.run(
        [tool("mkfs.ext4"), "-q", "-F", "-m", "0", *options, "-d", str(tree), str(out), size],
        check=True,
    )


def assemble(tarball: Path, out: Path) -> None:
    """Everything, from the tar file to the disks. Prints `step: TEXT` before each part."""
    os.umask(0o022)
    root, data, scratch = out / "root", out / "data", out / "scratch"
    print("step: unpacking packages", flush=True)
    root.mkdir()
    subprocess.run(
        [tool("tar"), "-xf", str(tarball), "-C", str(root), "--exclude=./dev/*"], check=True
    )
    print("step: writing the machines' own files", flush=True)
    shutil.copyfile(next((root / "boot").glob("vmlinuz-*")), out / "vmlinuz")
    prepare_base(root, (out / "key.pub").read_text())
    data.mkdir()
    prepare_hypervisor(data, out / "hostkeys")
    for node in topology.NODES:
        prepare_node(data, node, out / "hostkeys")
    make_initrd(root, out / "initrd", scratch)
    print("step: making the disks", flush=True)
    make_disk(root, out / "base.raw", BASE_SIZE, "-O", "^has_journal,^metadata_csum")
    make_disk(data, out / "nodes.raw", NODES_SIZE, "-J", "size=16", "-O", "^metadata_csum")
    for leftover in (root, data, scratch):
        shutil.rmtree(leftover)


if __name__ == "__main__":
    assemble(Path(sys.argv[1]), Path(sys.argv[2]))
