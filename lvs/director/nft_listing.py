"""Reading `nft -j list table`: the meaning of our table, without handles and counters."""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_network
from typing import Any

from lvs.director.nftables import Ruleset, canonical, hex_mark
from lvs.ipvsadm.errors import ParseError
from lvs.probe.paths import is_probe_mark

#: Of a rule, what counts packets and says nothing about what it does.
_NOISE = frozenset({"counter"})
_OBJECT_FIELDS = ("type", "hook", "prio", "policy")


def parse(text: str) -> Ruleset | None:
    """The table as it is; None where there is none (no text at all).

    Raises ParseError for anything but what nft lists.
    """
    if not text.strip():
        return None
    try:
        entries = json.loads(text)["nftables"]
        return _ruleset([next(iter(entry.items())) for entry in entries])
    except (ValueError, KeyError, TypeError, StopIteration, IndexError) as error:
        raise ParseError("nft listed no table of ours", text[:200], 1) from error


def _ruleset(entries: list[tuple[str, dict[str, Any]]]) -> Ruleset:
    elements: dict[str, frozenset[str]] = {}
    objects: dict[str, str] = {}
    rules: dict[str, list[str]] = {}
    for kind, entry in entries:
        if kind in ("map", "set"):
            objects[entry["name"]] = canonical(
                {
                    "kind": kind,
                    "type": entry["type"],
                    "map": entry.get("map"),
                    "flags": _flags(entry.get("flags", [])),
                }
            )
            texts = map(_element, entry.get("elem", ()))
            elements[entry["name"]] = frozenset(text for text in texts if not _is_probe(text))
        elif kind == "chain":
            shown = {name: entry[name] for name in _OBJECT_FIELDS if name in entry}
            objects[entry["name"]] = canonical({"kind": "chain", **shown})
            rules.setdefault(entry["name"], [])
        elif kind == "rule":
            said = [part for part in entry["expr"] if not _NOISE & part.keys()]
            rules.setdefault(entry["chain"], []).append(canonical(said))
        elif kind not in ("metainfo", "table"):
            objects[f"{kind} {entry['name']}"] = ""
    return Ruleset(elements, {name: tuple(held) for name, held in rules.items()}, objects)


def _is_probe(text: str) -> bool:
    """Whether an element is there for a probe's moment only: a set of Full NAT begins with the
    mark."""
    return text.startswith("0x") and is_probe_mark(int(text.split()[0], 16))


def _flags(flags: Any) -> list[str]:
    """Newer nft lists a single flag without its list."""
    return [flags] if isinstance(flags, str) else sorted(flags)


def _element(entry: Any) -> str:
    """One element; of a map, a pair of key and mark."""
    if isinstance(entry, list):
        key, mark = entry
        return f"{_key(key)} : {_mark(mark)}"
    return _key(entry)


def _key(entry: Any) -> str:
    if "elem" in entry:
        return _key(entry["elem"]["val"])
    first, *rest = entry["concat"]
    # A set of Full NAT begins with the mark, a map with the address.
    if isinstance(first, int) or str(first).startswith("0x"):
        return " . ".join([_mark(first), *map(_part, rest)])
    return " . ".join(map(_part, entry["concat"]))


def _mark(mark: Any) -> str:
    return hex_mark(int(mark, 0) if isinstance(mark, str) else mark)


def _part(part: Any) -> str:
    """An address, a protocol, a port, or a range of addresses or ports."""
    if isinstance(part, dict) and "prefix" in part:
        network = ip_network(f"{part['prefix']['addr']}/{part['prefix']['len']}")
        return f"{network.network_address}-{network.broadcast_address}"
    if isinstance(part, dict):
        first, last = part["range"]
        return f"{_part(first)}-{_part(last)}"
    text = str(part)
    return str(ip_address(text)) if ":" in text else text
