"""The command line of the lab."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from types import FrameType

from lab import host, image, store, topology
from lab.errors import LabError
from lab.progress import say
from lab.rack import Rack

DESCRIPTION = """\
The rack: a hypervisor, two LVS directors, real servers, a router and a client, in one QEMU guest,
each reached by SSH on 127.0.0.1.
"""


def print_table(rack: Rack) -> None:
    rows = [("NODE", "ROLE", "PORT", "ADDRESSES")]
    for node in rack.nodes():
        where = "  ".join(
            f"{net} {addresses[0]}" for net, addresses in node.addresses.items() if net != "mgmt"
        )
        rows.append((node.name, node.role, str(node.port), where or "runs libvirt and the rack"))
    for name, role, port, where in rows:
        print(f"{name:8}{role:12}{port:7}{where}")


def print_next(rack: Rack) -> None:
    option = f" --instance {rack.instance}" if rack.instance else ""
    print(f"\nA shell on a machine:   python3 -m lab{option} shell lb1")
    print(f"Keys, ports, addresses: python3 -m lab{option} status --json")
    print(f"Back to the beginning:  python3 -m lab{option} reset")
    print(f"Stop:                   python3 -m lab{option} down")


def do_build(arguments: argparse.Namespace) -> int:
    print(image.build())
    return 0


def do_up(arguments: argparse.Namespace) -> int:
    rack = Rack(arguments.instance)
    has_started = rack.up(dies_with_parent=arguments.foreground)
    if not has_started:
        say(f"rack {rack.instance} is already up")
        if not rack.is_current():
            say("it was built from an older recipe; `down` and `up` make a new one")
    print_table(rack)
    if not arguments.foreground:
        print_next(rack)
        return 0
    sys.stdout.flush()
    try:
        rack.hold(threading.Event(), is_mine=has_started)
    except KeyboardInterrupt:
        if has_started:
            rack.down()
            say(f"rack {rack.instance} is down")
    return 0


def do_down(arguments: argparse.Namespace) -> int:
    was_up = Rack(arguments.instance).down()
    say(f"rack {arguments.instance} is down" if was_up else f"rack {arguments.instance} was not up")
    return 0


def do_status(arguments: argparse.Namespace) -> int:
    rack = Rack(arguments.instance)
    if arguments.json:
        print(json.dumps(rack.as_json() if rack.is_up() else [], indent=2))
        return 0 if rack.is_up() else 3
    if not rack.is_up():
        print(f"rack {rack.instance} is not up")
        return 3
    print_table(rack)
    return 0


def do_shell(arguments: argparse.Namespace) -> int:
    rack = Rack(arguments.instance)
    try:
        words = rack.ssh_command(arguments.node, arguments.user)
    except KeyError as error:
        raise LabError(str(error.args[0])) from error
    if arguments.command:
        one = len(arguments.command) == 1
        words.append(arguments.command[0] if one else shlex.join(arguments.command))
    elif sys.stdin.isatty():
        words.insert(1, "-t")
    os.execv(words[0], words)


def do_reset(arguments: argparse.Namespace) -> int:
    taken = Rack(arguments.instance).reset()
    say(f"rack {arguments.instance} is as new ({taken:.1f} s)")
    return 0


def do_clean(arguments: argparse.Namespace) -> int:
    running = [n for n in range(topology.MAX_INSTANCES) if Rack(n).is_up()]
    if running:
        raise LabError(f"stop the racks that run first: {', '.join(map(str, running))}")
    shutil.rmtree(store.root(), ignore_errors=True)
    say(f"removed {store.root()}")
    return 0


def do_packages(arguments: argparse.Namespace) -> int:
    print(" ".join(host.packages()))
    return 0


def do_preflight(arguments: argparse.Namespace) -> int:
    found = host.problems(store.root(), is_built=image.is_built())
    for problem in found:
        print(problem)
    if not found:
        print("nothing is missing: python3 -m lab up")
    return 1 if found else 0


COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], int], str]] = {
    "build": (do_build, "build the image, unless it is in the cache"),
    "up": (do_up, "build what is missing and bring the rack up"),
    "down": (do_down, "stop the rack and throw its disk away"),
    "status": (do_status, "the machines and their ports (exit code 3: not up)"),
    "shell": (do_shell, "a shell, or a command, on a machine"),
    "reset": (do_reset, "throw away what was done to the rack and thaw it again"),
    "clean": (do_clean, "remove every image, template and rack from the cache"),
    "packages": (do_packages, "print the Debian packages that this machine needs"),
    "preflight": (do_preflight, "say what is missing on this machine"),
}


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python3 -m lab", description=DESCRIPTION)
    instance = argparse.ArgumentParser(add_help=False)
    for owner, default in ((top, 0), (instance, argparse.SUPPRESS)):
        owner.add_argument(
            "--instance",
            type=int,
            choices=range(topology.MAX_INSTANCES),
            default=default,
            metavar="N",
            help="which rack, 0 to 9; each has its own ports (default 0)",
        )
    commands = top.add_subparsers(dest="name", required=True, metavar="COMMAND")
    for name, (_, text) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text, parents=[instance])
        if name == "up":
            command.add_argument(
                "--foreground",
                action="store_true",
                help="stay until SIGINT or SIGTERM; a rack that this starts ends with it",
            )
        elif name == "status":
            command.add_argument("--json", action="store_true", help="everything, for programs")
        elif name == "shell":
            command.add_argument("--user", choices=("root", topology.USER), default="root")
            command.add_argument("node", metavar="NODE", help=", ".join(topology.names()))
            command.add_argument(
                "command",
                nargs=argparse.REMAINDER,
                metavar="CMD",
                help="words of one command, or a single word holding a line for the shell",
            )
    return top


def on_terminate(number: int, frame: FrameType | None) -> None:
    """SIGTERM is the same wish as Ctrl-C: put things away and go."""
    raise KeyboardInterrupt


def main(words: list[str]) -> int:
    arguments = parser().parse_args(words)
    signal.signal(signal.SIGTERM, on_terminate)
    try:
        return COMMANDS[arguments.name][0](arguments)
    except (LabError, OSError, subprocess.SubprocessError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lab: interrupted", file=sys.stderr)
        return 130
