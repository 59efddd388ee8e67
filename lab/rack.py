"""The Python API of the lab: a rack that goes up, down and back to its first state.

rack = Rack(3)
rack.up()
rack.run("lb1", ["ipvsadm", "-Ln"]).stdout
rack.reset()
rack.down()
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import threading
import time
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lab import accel, image, qemu, ssh, store, template, topology
from lab.errors import LabError
from lab.host import is_port_free
from lab.progress import say
from lab.qmp import Monitor

THAW_SECONDS = 45
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
    password: str = field(default="", repr=False)


class Rack:
    """Rack number `instance`, 0 to 9, each with its own ports and disk."""

    def __init__(self, instance: int = 0) -> None:
        topology.port_of(instance, 0)
        self.instance = instance
        self.directory = store.instance_dir(instance)

    def is_up(self) -> bool:
        return qemu.running_pid(self.directory) is not None

    def is_current(self) -> bool:
        """Whether the rack, which must be up, was made from the recipe as it is now."""
        return self.image() == store.image_dir()

    def up(self, *, dies_with_parent: bool = False) -> bool:
        """Bring the rack up, building what is missing; False when it was up already.

        With `dies_with_parent` the rack ends when this process does, however it ends, and this
        process must `hold` it. Raises LabError when the machine lacks something, a port is
        taken, or the rack does not answer.
        """
        with self._locked():
            if self.is_up():
                return False
            image.check_host()
            self._check_ports()
            built = image.build()
            kind, why = accel.choose(built)
            say(f"acceleration: {kind.upper()} ({why})")
            shape = qemu.Shape(kind, qemu.chosen_memory(), qemu.chosen_cpus())
            frozen = template.build(built, shape, self.instance)
            owner = os.getpid() if dies_with_parent else 0
            _remove_old_images(built)
            self._thaw({**_state_of(built, frozen, shape), "owner": owner})
        return True

    def hold(self, stop: threading.Event, *, is_mine: bool) -> None:
        """Stay until `stop` is set or the rack is taken down. `is_mine`: this process brought it
        up with `dies_with_parent`, and thaws it again when another process resets it. LabError
        when QEMU ends by itself."""
        while not stop.wait(0.1):
            if self.is_up():
                continue
            if is_mine and self._again.exists():
                state = json.loads(self._again.read_text())
                self._again.unlink()
                self._thaw(state)
                continue
            # Not up, and nobody asked us: let whoever is at work on it finish, and look again.
            with self._locked():
                if not self.is_up() and self.directory.exists():
                    raise LabError(f"QEMU ended by itself; see {self.directory / 'qemu.log'}")
                if not self.is_up():
                    say(f"rack {self.instance} was taken down")
                    return

    def down(self) -> bool:
        """Stop the rack and throw its disk away; whether it was up."""
        with self._locked():
            return self._discard()

    def reset(self) -> float:
        """Back to the template, whatever was done to the rack; seconds until all answer again."""
        began = time.monotonic()
        with self._locked():
            state = self._state()
            if state["owner"] in (0, os.getpid()):
                self._thaw(state)
            else:
                self._ask_owner_to_thaw(state)
        return time.monotonic() - began

    def _ask_owner_to_thaw(self, state: dict[str, Any]) -> None:
        """A rack that dies with another process can only be thawed by that one."""
        self._again.write_text(json.dumps(state))
        qemu.stop(self.directory)
        deadline = time.monotonic() + 4 * THAW_SECONDS
        while not (self.is_up() and self._is_ready()):
            if time.monotonic() > deadline:
                raise LabError(
                    f"process {state['owner']}, which holds rack {self.instance}, has not thawed it"
                )
            time.sleep(0.1)

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
        return ssh.command(
            node.address,
            node.port,
            user,
            Path(node.key_path),
            known_hosts,
            # Named by the run: the connections of the run before take their names with them.
            shared=self.directory / f"{qemu.running_pid(self.directory)}-{user}-{name}",
        )

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
        """Run a command on a machine. LabError when it takes longer than `timeout` seconds and,
        with `check`, when its exit code is not 0; then it quotes what the command said."""
        try:
            answer = subprocess.run(
                [*self.ssh_command(name, user), shlex.join(argv)],
                input=given,
                stdin=subprocess.DEVNULL if given is None else None,
                capture_output=True,
                text=True,
                timeout=timeout,
            )
        except subprocess.TimeoutExpired as error:
            raise LabError(f"{name}: {shlex.join(argv)}: no end after {timeout:g} s") from error
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
                    f" --instance N (make: RACK=N), with N from 0 to {topology.MAX_INSTANCES - 1}"
                )

    def _locked(self) -> AbstractContextManager[None]:
        name = f"instance-{self.instance}"
        return store.locked(name, f"it is working on rack {self.instance}")

    @property
    def _again(self) -> Path:
        """Asks the process that holds the rack to thaw it again; holds the state to thaw."""
        return self.directory.with_suffix(".again")

    def _state(self) -> dict[str, Any]:
        if not self.is_up():
            option = f" --instance {self.instance}" if self.instance else ""
            raise LabError(f"rack {self.instance} is not up: python3 -m lab{option} up")
        state: dict[str, Any] = json.loads((self.directory / "state.json").read_text())
        return state

    def _is_ready(self) -> bool:
        return (self.directory / "ready").exists()

    def image(self) -> Path:
        """The directory of the image that the rack, which must be up, was made from."""
        return Path(self._state()["image"])

    def _discard(self) -> bool:
        was_up = qemu.stop(self.directory)
        shutil.rmtree(self.directory, ignore_errors=True)
        return was_up

    def _thaw(self, state: dict[str, Any]) -> None:
        """A new disk and the template's memory; returns when every machine answers.

        On an overloaded machine the nodes of a thawed rack stayed silent once in about a hundred
        times, though hv1 answered. A second thaw always helped, so one is tried before giving up.
        """
        began = time.monotonic()
        try:
            self._start(state)
            try:
                ssh.wait_for(template.doors(self.instance), timeout=THAW_SECONDS)
            except LabError as error:
                say(f"{error}: thawing once more")
                self._start(state)
                ssh.wait_for(template.doors(self.instance), timeout=2 * THAW_SECONDS)
            self.run("hv1", ["date", "--set", f"@{time.time():.3f}"])
        except BaseException:
            qemu.stop(self.directory)
            raise
        (self.directory / "ready").touch()
        say(f"rack {self.instance} is up, {time.monotonic() - began:.1f} s after thawing began")

    def _start(self, state: dict[str, Any]) -> None:
        """QEMU, running on from where the template was frozen."""
        built, frozen = Path(state["image"]), Path(state["template"])
        self._discard()
        self.directory.mkdir(mode=0o700)
        disk = self.directory / "nodes.qcow2"
        template.make_overlay(frozen / "nodes.qcow2", "qcow2", disk)
        template.write_known_hosts(built, self.instance, self.directory / "known_hosts")
        (self.directory / "state.json").write_text(json.dumps(state))
        arguments = qemu.command(
            qemu.Shape(**state["shape"]),
            self.instance,
            built,
            memory_file=frozen / "ram",
            nodes_disk=disk,
            frozen=True,
        )
        qemu.spawn(arguments, self.directory, dies_with_parent=bool(state["owner"]))
        with Monitor(self.directory / "qmp.sock") as monitor:
            monitor.ignore_shared_memory()
            uri = f"exec:cat {shlex.quote(str(frozen / 'state'))}"
            monitor.execute("migrate-incoming", uri=uri)
            monitor.wait_until("query-status", ("paused",), timeout=THAW_SECONDS)
            monitor.execute("cont")


def _remove_old_images(used: Path) -> None:
    """A recipe under work would otherwise fill the disk, at 1.5 GB an image."""
    os.utime(used)
    racks = [Rack(number) for number in range(topology.MAX_INSTANCES)]
    running = {Path(rack.image()) for rack in racks if rack.is_up()}
    for path in store.superfluous(store.images(), running):
        say(f"removing the image {path.name}, of an older recipe")
        shutil.rmtree(path, ignore_errors=True)


def _state_of(built: Path, frozen: Path, shape: qemu.Shape) -> dict[str, Any]:
    return {"image": str(built), "template": str(frozen), "shape": asdict(shape)}
