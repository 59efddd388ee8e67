"""Commands a second over one pooled connection, against OpenSSH with ControlMaster.

Both sides run `true`, one command after the other, on the same sshd on loopback.
Ours is what an executor really does: a Session of the pool, with the remote
`env LC_ALL=C timeout -k 5 60` around the command. The peer is `ssh -S SOCKET`
over a master that is already connected, running the bare `true`. Pairs are
interleaved, so that whatever else the machine does hits both.

    python -m bench.ssh_commands [--pairs N] [--commands N]
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.common import write_result
from console.remote.pool import Pool, PoolSettings
from console.remote.session import Session
from tests.remote.sshd import Sshd

GOAL = 1.5


@contextmanager
def control_master(server: Sshd, directory: Path) -> Iterator[list[str]]:
    """The words of an `ssh` that goes through a connected master."""
    key = directory / "user_key"
    key.touch(mode=0o600)
    key.write_text(server.secret)
    known_hosts = directory / "known_hosts"
    known_hosts.write_text(f"[127.0.0.1]:{server.port} {server.pin}\n")
    ssh = [
        *("ssh", "-F", "none", "-S", str(directory / "master"), "-i", str(key)),
        *("-o", f"UserKnownHostsFile={known_hosts}", "-o", "BatchMode=yes"),
        *("-p", str(server.port), "-l", server.endpoint().username),
    ]
    subprocess.run([*ssh, "-M", "-f", "-N", "127.0.0.1"], check=True)
    try:
        yield [*ssh, "127.0.0.1"]
    finally:
        subprocess.run([*ssh, "-O", "exit", "127.0.0.1"], check=True, capture_output=True)


def ours_per_second(session: Session, commands: int) -> float:
    started = time.perf_counter()
    for _ in range(commands):
        session.check(("true",))
    return commands / (time.perf_counter() - started)


def peer_per_second(ssh: list[str], commands: int) -> float:
    started = time.perf_counter()
    for _ in range(commands):
        subprocess.run([*ssh, "true"], check=True, stdin=subprocess.DEVNULL)
    return commands / (time.perf_counter() - started)


def measure(pairs: int, commands: int) -> list[dict[str, float]]:
    """Commands a second of both, pair by pair."""
    directory = Path(tempfile.mkdtemp(prefix="ssh-commands-"))
    server = Sshd(directory / "sshd").start()
    pool = Pool(PoolSettings(max_connections=1))
    try:
        with control_master(server, directory) as ssh:
            session = pool.session(server.endpoint())
            ours_per_second(session, commands // 5)
            peer_per_second(ssh, commands // 5)
            samples = []
            for number in range(pairs):
                # Who goes first alternates.
                runs = {
                    "ours": lambda: ours_per_second(session, commands),
                    "against": lambda: peer_per_second(ssh, commands),
                }
                order = ("ours", "against") if number % 2 == 0 else ("against", "ours")
                sample = {name: round(runs[name](), 1) for name in order}
                samples.append({"ours": sample["ours"], "against": sample["against"]})
            return samples
    finally:
        pool.close()
        server.stop()
        shutil.rmtree(directory)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--commands", type=int, default=200)
    options = parser.parse_args()
    samples = measure(options.pairs, options.commands)
    ours = statistics.median(sample["ours"] for sample in samples)
    against = statistics.median(sample["against"] for sample in samples)
    write_result(
        name="ssh_commands",
        what="commands a second over one pooled connection, against OpenSSH with ControlMaster",
        ours=ours,
        against=against,
        ratio=round(ours / against, 3),
        goal=f">= {GOAL}",
        unit="commands/s",
        samples=samples,
    )


if __name__ == "__main__":
    main()
