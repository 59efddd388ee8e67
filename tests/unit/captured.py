"""Real output of real tools, from tests/captures (named tool-version_command)."""

from __future__ import annotations

from pathlib import Path

CAPTURES = Path(__file__).parents[1] / "captures"


def captured(name: str) -> str:
    """The standard output that was captured under `name`, without the note of its exit code."""
    return (CAPTURES / f"{name}.txt").read_text().split("--- rc=")[0]


def ipvsadm(arguments: str) -> str:
    """What ipvsadm 1.31 printed for the arguments."""
    return captured(f"ipvsadm-1.31_ipvsadm_{arguments.replace(' ', '_')}")


def kernel(name: str) -> str:
    """What a 6.1 kernel printed under /proc/net."""
    return captured(f"kernel-6.1.0_proc_net_{name}")
