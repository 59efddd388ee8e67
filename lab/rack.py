"""The Python API of the lab: a rack that goes up, down and back to its first state.

rack = Rack(3)
rack.up()
rack.run("lb1", ["ipvsadm", "-Ln"]).stdout
rack.reset()
rack.down()
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lab import accel, image, qemu, ssh, store, template, topology
from lab.errors import LabError
from lab.host import is_port_free
from lab.progress import say
from lab.qmp import Monitor

THAW_SECONDS = 60
ADDRESS = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Node:
    """One machine of a running rack, as a console or a test needs it.

    `host_key` is "TYPE BASE64"; `addresses` maps the network ("mgmt", "pub0",
    "int0", "far0") to [IPv4, IPv6]; root and `evenkeel` (sudo without a
    password) log in with the key at `key_path`. `password` is empty except on
    the machine that takes one, where it is the password of `evenkeel`.
    """

    name: str
    role: str
    address: str
    port: int
    user: str
    key_path: str
    host_key: str
    addresses: dict[str, list[str]]
    users: tuple[str, ...]
    password: str = ""


class Rack:
    """Rack number `instance`, 0 to 9, each with its own ports and disk."""

    def __init__(self, instance: int = 0) -> None:
        topology.port_of(instance, 0)
        self.instance = instance
        self.directory = store.instance_dir(instance)

    def is_up(self) -> bool:
        return qemu.running_pid(self.directory) is not None

    def is_current(self) -> bool:
        """Whether a running rack was made from the recipe as it is now."""
        return self._image() == store.image_dir()

    def up(self, *, dies_with_parent: bool = False) -> bool:
        """Bring the rack up, building what is missing; False when it was up already.

        Raises LabError when the machine lacks something, a port is taken, or the
        rack does not answer.
        """
        with store.locked(f"instance-{self.instance}", f"it is working on rack {self.instance}"):
            if self.is_up():
                return False
            image.check_host()
            self._check_ports()
            built = image.build()
            kind, why = accel.choose(built)
            say(f"acceleration: {kind.upper()} ({why})")
            shape = qemu.Shape(kind, qemu.chosen_memory(), qemu.chosen_cpus())
            frozen = template.build(built, shape, self.instance)
            self._thaw(built, frozen, shape, dies_with_parent=dies_with_parent)
        return True

    def down(self) -> bool:
        """Stop the rack and throw its disk away; whether it was up."""
        with store.locked(f"instance-{self.instance}", f"it is working on rack {self.instance}"):
            return self._discard()

    def reset(self) -> float:
        """Back to the template, whatever was done to the rack; seconds until all answer again."""
        began = time.monotonic()
        with store.locked(f"instance-{self.instance}", f"it is working on rack {self.instance}"):
            if not self.is_up():
                raise LabError(f"rack {self.instance} is not up: python3 -m lab up")
            state = self._state()
            self._discard()
            self._thaw(
                Path(state["image"]),
                Path(state["template"]),
                qemu.Shape(**state["shape"]),
                dies_with_parent=False,
            )
        return time.monotonic() - began

    def nodes(self) -> list[Node]:
        """Every machine of the rack, which must be up."""
        state = self._state()
        built, frozen = Path(state["image"]), Path(state["template"])
        password = (frozen / "password").read_text()
        return [
            Node(
                name=m.name,
                role=m.role,
                address=ADDRESS,
                port=topology.port_of(self.instance, m.octet),
                user="root",
                key_path=str(built / "key"),
                host_key=template.host_key(built, m.name),
                addresses=m.addresses,
                users=("root", topology.USER),
                password=password if m.name == topology.PASSWORD_MACHINE else "",
            )
            for m in topology.MACHINES
        ]

    def node(self, name: str) -> Node:
        topology.machine(name)
        return next(n for n in self.nodes() if n.name == name)

    def ssh_command(self, name: str, user: str = "root") -> list[str]:
        """The words of `ssh` that lead to a machine, its host key checked."""
        node = self.node(name)
        known_hosts = self.directory / "known_hosts"
        return ssh.command(node.address, node.port, user, Path(node.key_path), known_hosts)

    def run(
        self,
        name: str,
        argv: list[str] | tuple[str, ...],
        *,
        given: str | None = None,
        user: str = "root",
        timeout: float = 60.0,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on a machine. With `check`, a non-zero exit code is a LabError that
        quotes what it said."""
        answer = subprocess.run(
            [*self.ssh_command(name, user), shlex.join(argv)],
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        if check and answer.returncode != 0:
            raise LabError(
                f"{name}: {shlex.join(argv)} ended with {answer.returncode}:"
                f" {answer.stdout}{answer.stderr}".rstrip()
            )
        return answer

    def as_json(self) -> list[dict[str, Any]]:
        return [asdict(node) for node in self.nodes()]

    def _check_ports(self) -> None:
        for machine in topology.MACHINES:
            port = topology.port_of(self.instance, machine.octet)
            if not is_port_free(port):
                raise LabError(
                    f"port {port} on {ADDRESS}, which leads to {machine.name} in rack"
                    f" {self.instance}, is taken by another program; choose another rack:"
                    f" --instance N, with N from 0 to {topology.MAX_INSTANCES - 1}"
                )

    def _state(self) -> dict[str, Any]:
        if not self.is_up():
            raise LabError(f"rack {self.instance} is not up: python3 -m lab up")
        state: dict[str, Any] = json.loads((self.directory / "state.json").read_text())
        return state

    def _image(self) -> Path:
        return Path(self._state()["image"])

    def _discard(self) -> bool:
        was_up = qemu.stop(self.directory)
        shutil.rmtree(self.directory, ignore_errors=True)
        return was_up

    def _thaw(
        self, built: Path, frozen: Path, shape: qemu.Shape, *, dies_with_parent: bool
    ) -> None:
        began = time.monotonic()
        self._discard()
        self.directory.mkdir(mode=0o700)
        disk = self.directory / "nodes.qcow2"
        template.make_overlay(frozen / "nodes.qcow2", "qcow2", disk)
        template.write_known_hosts(built, self.instance, self.directory / "known_hosts")
        state = {"image": str(built), "template": str(frozen), "shape": template.vars_of(shape)}
        (self.directory / "state.json").write_text(json.dumps(state))
        arguments = qemu.command(
            shape, self.instance, built, memory_file=frozen / "ram", nodes_disk=disk, frozen=True
        )
        try:
            qemu.spawn(arguments, self.directory, dies_with_parent=dies_with_parent)
            with Monitor(self.directory / "qmp.sock") as monitor:
                monitor.ignore_shared_memory()
                uri = f"exec:cat {shlex.quote(str(frozen / 'state'))}"
                monitor.execute("migrate-incoming", uri=uri)
                monitor.wait_until("query-status", ("paused",), timeout=THAW_SECONDS)
                monitor.execute("cont")
            ssh.wait_for(template.doors(self.instance), timeout=THAW_SECONDS)
            self.run("hv1", ["date", "--set", f"@{time.time():.3f}"])
        except BaseException:
            qemu.stop(self.directory)
            raise
        say(f"rack {self.instance} is up, {time.monotonic() - began:.1f} s after thawing began")
