"""OpenSSH to the rack's machines, and the wait until they answer."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab.errors import LabError
from lab.host import tool

#: Quick under emulation; the machines themselves offer all that Debian's sshd does.
_OPTIONS = {
    "BatchMode": "yes",
    "IdentitiesOnly": "yes",
    "StrictHostKeyChecking": "yes",
    "GlobalKnownHostsFile": "/dev/null",
    "ConnectTimeout": "20",
    "LogLevel": "ERROR",
    "ServerAliveInterval": "5",
    "ServerAliveCountMax": "3",
    "KexAlgorithms": "curve25519-sha256",
    "Ciphers": "aes128-gcm@openssh.com",
}

#: sun_path holds 107 bytes, and ssh first binds to the name with 17 more characters.
LONGEST_SOCKET = 90


def known_hosts_line(address: str, port: int, host_key: str) -> str:
    return f"[{address}]:{port} {host_key}\n"


def command(
    address: str, port: int, user: str, key: Path, known_hosts: Path, *, shared: Path | None = None
) -> list[str]:
    """The words of `ssh` up to the remote command, with the host key checked.

    With `shared`, a socket's path, commands share one connection, which stays for a minute: a
    new one costs the machine half a second of emulated cryptography. A path too long for a
    socket is left out.
    """
    options = {**_OPTIONS, "UserKnownHostsFile": f'"{known_hosts}"'}
    if shared is not None and len(str(shared)) <= LONGEST_SOCKET:
        options |= {"ControlMaster": "auto", "ControlPersist": "60", "ControlPath": f'"{shared}"'}
    words = [tool("ssh"), "-F", "none", "-i", str(key), "-p", str(port)]
    for name, value in options.items():
        words += ["-o", f"{name}={value}"]
    return [*words, f"{user}@{address}"]


def answers(address: str, port: int, *, timeout: float = 1.0) -> bool:
    """Whether an SSH server greets there. QEMU accepts the connection before the guest does,
    so only the greeting counts."""
    try:
        with socket.create_connection((address, port), timeout=timeout) as connection:
            connection.settimeout(timeout)
            return connection.recv(8).startswith(b"SSH-")
    except OSError:
        return False


def wait_for(doors: dict[str, tuple[str, int]], *, timeout: float) -> float:
    """Seconds until every door (name: address, port) was greeted by an SSH server; LabError
    names the silent ones after `timeout` seconds."""
    began = time.monotonic()

    def wait(name: str) -> bool:
        # Each knock makes the machine start a process. A slow machine must get longer to answer
        # one, or it would drown in knocks that nobody waits for any more.
        patience = 1.0
        while time.monotonic() - began < timeout:
            knocked = time.monotonic()
            if answers(*doors[name], timeout=patience):
                return True
            if time.monotonic() - knocked >= patience:
                patience = min(2 * patience, 15.0)
            time.sleep(0.05)
        return False

    with ThreadPoolExecutor(max_workers=len(doors)) as pool:
        outcome = dict(zip(doors, pool.map(wait, doors), strict=True))
    silent = [name for name, has_answered in outcome.items() if not has_answered]
    if silent:
        raise LabError(f"no answer by SSH within {timeout:.0f} s from {', '.join(silent)}")
    return time.monotonic() - began
