"""Compares a machine with what it should have. An empty plan is the proof.

Order: note how things are, write the files for the next boot, put (ARP first), take (ARP
last), forget what was undone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from console.planning import Effect, Line, Plan, Step
from console.planning import mark as _
from lvs.realserver import boot
from lvs.realserver.items import Item, Key, put, rank, take
from lvs.realserver.sample import Seen

SHELL = ("sh", "-e", "-s")
_REMEMBER = ("sh", "-e", "-c", boot.REMEMBER)
_FORGET = (
    "sh",
    "-c",
    f"grep -v -x -F -f - {boot.RECORD} > {boot.RECORD}.new; mv {boot.RECORD}.new {boot.RECORD}",
)

_PUT_TITLES = {
    "setting": _("Set how the kernel treats packets for the VIPs"),
    "module": _("Load the tunnel’s kernel module"),
    "link": _("Bring the tunnel’s interface up"),
    "device": _("Make the tunnel’s interface"),
    "gue": _("Take GUE packets at their UDP port"),
    "address": _("Put the VIPs on the loopback"),
    "inside": _("Give the tunnel’s interface an address, for the reverse path filter"),
    "network": _("Take the networks of VIPs as the machine’s own"),
    "route": _("Lead answers back through the director"),
    "rule": _("Lead answers back through the director"),
    "clamp": _("Offer segments that fit into the tunnel"),
}
_TAKE_TITLE = _("Undo what no service needs any more")


def plan(items: Sequence[Item], seen: Seen, *, machine: str = "") -> Plan:
    """The steps from what was seen to what is wanted: what the record names beyond it goes."""
    items = needed(items, seen)
    before = seen.before
    wanted = {item.key for item in items}
    leaving = [key for key in before if key not in wanted]
    steps = [
        *_remember(items, before),
        *_files(items, seen),
        *_put([item for item in items if not seen.has(item)]),
        *_take(leaving, seen),
        *_forget(leaving, seen, is_empty=not wanted),
    ]
    return Plan(tuple(replace(step, machine=machine) for step in steps))


def needed(items: Sequence[Item], seen: Seen) -> tuple[Item, ...]:
    """The items without policy routes that the machine does not need: its own way out leads
    to the director already, and nothing of ours makes it so."""
    spare = {
        item
        for item in items
        if item.kind == "rule"
        and item.key not in seen.before
        and seen.ways.get(item.name) == _gateway(item)
    }
    used = {_gateway(item) for item in items if item.kind == "rule" and item not in spare}
    return tuple(
        item for item in items if item not in spare and (item.kind != "route" or item.name in used)
    )


def _gateway(rule: Item) -> str:
    return rule.name.rpartition(",")[2]


def _remember(items: Iterable[Item], before: dict[Key, str]) -> list[Step]:
    fresh = [f"{item.kind} {item.name}" for item in items
             if item.key not in before and item.kind != "module"]  # fmt: skip
    if not fresh:
        return []
    lines = tuple(Line(text, Effect.ADD) for text in fresh)
    return [Step(_("Note how it was before"), _REMEMBER, lines)]


def _files(items: Sequence[Item], seen: Seen) -> list[Step]:
    """One script that writes the files which differ, and has the unit started at boot."""
    files = boot.own_files(items)
    stale = [file for file in files if seen.files.get(file.path) != file.digest]
    if not files or (not stale and seen.is_unit_enabled):
        return []
    text = "".join(f"{line}\n" for file in stale for line in file.lines) + f"{boot.ENABLE}\n"
    return [Step(_("Have it put back at boot"), SHELL, stdin=text.encode())]


def _put(items: Sequence[Item]) -> list[Step]:
    return [
        Step(
            title,
            SHELL,
            tuple(Line(line, Effect.ADD) for item in group for line in put(item)),
        )
        for title, group in groupby(items, key=lambda item: _PUT_TITLES[item.kind])
    ]


def _take(leaving: Sequence[Key], seen: Seen) -> list[Step]:
    lines = [
        Line(line, Effect.REMOVE)
        for key in sorted(leaving, key=rank, reverse=True)
        if _is_to_go(key, seen)
        for line in take(key, seen.before[key])
    ]
    return [Step(_TAKE_TITLE, SHELL, tuple(lines), is_destructive=True)] if lines else []


def _is_to_go(key: Key, seen: Seen) -> bool:
    """Whether what we put is still there; somebody may have taken it away."""
    before = seen.before[key]
    if key.kind == "setting":
        return key.name in seen.settings and str(seen.settings[key.name]) != before
    if key.kind == "clamp":
        return bool(seen.clamps)
    if key.kind == "device":
        return key.name in seen.addresses
    return seen.has(Item(*key))


def _forget(leaving: Sequence[Key], seen: Seen, *, is_empty: bool) -> list[Step]:
    """The record shrinks; with the last line the files and the unit go as well."""
    has_files = bool(seen.files) or seen.is_unit_enabled
    if is_empty and (leaving or has_files):
        lines = tuple(Line(line, Effect.REMOVE) for line in boot.CLEAN)
        return [Step(_("Take our files away"), SHELL, lines, is_destructive=True)]
    if not leaving:
        return []
    before = seen.before
    gone = tuple(Line(f"{key.kind} {key.name} {before[key]}", Effect.REMOVE) for key in leaving)
    return [Step(_("Forget what was undone"), _FORGET, gone)]
