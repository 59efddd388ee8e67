"""Builds the image: Debian packages, then the disks, kernel and initial RAM disk of the rack."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from lab import aptsources, store, topology
from lab.errors import LabError
from lab.host import find_tool, is_root, problems, tool
from lab.progress import Heartbeat, say, timed
from lab.qemu import stop_with_parent

#: mmdebstrap's own words for the step that it begins, and ours.
_MMDEBSTRAP_STEPS = (
    ("I: running apt-get update", "reading the package lists"),
    ("I: downloading packages with apt", "downloading the base system"),
    ("I: extracting archives", "unpacking the base system"),
    ("I: installing essential packages", "installing the base system"),
    ("I: installing remaining packages", "downloading and installing packages"),
    ("I: creating tarball", "packing"),
)
_WITHOUT = ("man", "doc", "locale", "info")


def is_built() -> bool:
    return (store.image_dir() / "nodes.raw").exists()


def check_host() -> None:
    """LabError that lists everything missing on this machine."""
    found = problems(store.root(), is_built=is_built())
    if found:
        raise LabError(
            "this machine cannot run the rack yet:\n" + "\n".join(f"  {p}" for p in found)
        )


def host_sources() -> list[str]:
    """The host's own bookworm entries; empty means mmdebstrap's default mirror."""
    release = Path("/etc/os-release")
    if not release.exists() or not aptsources.is_bookworm(release.read_text()):
        return []
    etc = Path("/etc/apt")
    found = []
    for path in [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*.list"))]:
        if path.exists():
            found += aptsources.from_one_line(path.read_text())
    for path in sorted((etc / "sources.list.d").glob("*.sources")):
        found += aptsources.from_deb822(path.read_text())
    # Updates alone are not a system: without the release itself, use the default.
    has_release = any(f" {aptsources.SUITE} " in line for line in found)
    return list(dict.fromkeys(found)) if has_release else []


def host_apt_options() -> list[str]:
    """How the host reaches its archive (proxy, certificates, log-in), as `--aptopt` values."""
    if find_tool("apt-config") is None:
        return []
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False)
    found = aptsources.options_from_dump(dump.stdout)
    for key, path in (("netrc", "/etc/apt/auth.conf"), ("netrcparts", "/etc/apt/auth.conf.d")):
        if Path(path).exists():
            found.append(f'Dir::Etc::{key} "{path}"')
    return found


def mmdebstrap_command(out: Path) -> list[str]:
    command = [
        tool("mmdebstrap"),
        f"--mode={'root' if is_root() else 'unshare'}",
        "--variant=minbase",
        f"--include={','.join(store.guest_packages())}",
        f"--customize-hook=chroot \"$1\" useradd -m -s /bin/bash -c '' {topology.USER}",
    ]
    command += [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _WITHOUT]
    command += [f"--aptopt={option}" for option in host_apt_options()]
    return [*command, aptsources.SUITE, str(out), *host_sources()]


def _follow(command: list[str], log: Path, on_line: Callable[[str], None]) -> None:
    """Run a command, hand each line that it prints to `on_line`, keep all in `log`."""
    with log.open("w") as kept:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=store.SOURCE.parent,
            preexec_fn=stop_with_parent,
        )
        try:
            for line in process.stdout or ():
                kept.write(line)
                kept.flush()
                on_line(line)
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if process.wait() != 0:
        tail = "".join(log.read_text().splitlines(keepends=True)[-15:])
        raise LabError(
            f"{Path(command[0]).name} failed with exit code {process.returncode};"
            f" the end of {log}:\n{tail}"
        )


def _build_packages(beat: Heartbeat) -> None:
    """The packages' tar file; kept between builds that change only the rack's own files."""
    target = store.packages_tar()
    if target.exists():
        return
    where = "the host's apt sources" if host_sources() else "mmdebstrap's default mirror"
    say(f"packages come from {where}")
    partial = target.with_suffix(".partial.tar")
    partial.unlink(missing_ok=True)
    total = len(_MMDEBSTRAP_STEPS)

    def on_line(line: str) -> None:
        for number, (theirs, ours) in enumerate(_MMDEBSTRAP_STEPS, 1):
            if line.startswith(theirs):
                beat.step(f"building image: {ours} ({number} of {total})")

    try:
        _follow(mmdebstrap_command(partial), target.with_suffix(".log"), on_line)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    partial.rename(target)


def _make_keys(out: Path) -> None:
    """The key that opens every machine, and a host key for each."""
    keygen = [tool("ssh-keygen"), "-q", "-t", "ed25519", "-N", ""]
    subprocess.run([*keygen, "-C", "evenkeel-lab", "-f", str(out / "key")], check=True)
    (out / "hostkeys").mkdir()
    for machine in topology.MACHINES:
        target = out / "hostkeys" / machine.name
        subprocess.run([*keygen, "-C", machine.name, "-f", str(target)], check=True)


def _assemble(out: Path, beat: Heartbeat) -> None:
    command = [sys.executable, "-m", "lab.assemble", str(store.packages_tar()), str(out)]
    if not is_root():
        command = [tool("fakeroot"), *command]

    def on_line(line: str) -> None:
        if line.startswith("step: "):
            beat.step(f"building image: {line[6:].strip()}")

    _follow(command, out / "assemble.log", on_line)


def build() -> Path:
    """The image's directory; builds it unless it is there. One process builds, others wait."""
    target = store.image_dir()
    if is_built():
        return target
    check_host()
    with store.locked("build", "it is building the image"):
        if is_built():
            return target
        partial = store.root() / f"{target.name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        os.umask(0o077)
        with timed("building image") as beat:
            _build_packages(beat)
            _make_keys(partial)
            _assemble(partial, beat)
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
    return target
