"""The `nft` of a fake director: one or more tables kept in a JSON file.

Understands `-f FILE`, `-j list table FAMILY NAME` and the same without `-j`, which answers
with commands instead of a block. One command stands on a line, and either the whole file
takes effect or nothing. Written from nft(8) and from what nft 1.0.6 was seen to
answer; it shares no code with the console. Keys of elements are kept as intervals, so
that two that overlap are refused as the kernel does.
"""

from __future__ import annotations

import ipaddress
import json
import re
import sys
from pathlib import Path
from typing import Any

Tables = dict[str, dict[str, dict[str, Any]]]


class Refused(Exception):
    """The kernel says no; the message is nft's."""


def main(store: Path, words: list[str]) -> int:
    tables: Tables = json.loads(store.read_text()) if store.exists() else {}
    if words[:3] == ["-j", "list", "table"]:
        name = " ".join(words[3:5])
        if name not in tables:
            print("Error: No such file or directory", file=sys.stderr)
            return 1
        print(json.dumps(_listing(name, tables[name])))
        return 0
    if words[:2] == ["list", "table"]:
        name = " ".join(words[2:4])
        if name not in tables:
            return 1
        print("\n".join([f"add table {name}", *_commands(name, tables[name])]))
        return 0
    source = words[words.index("-f") + 1]
    text = sys.stdin.read() if source == "-" else Path(source).read_text()
    for number, line in enumerate(text.splitlines(), 1):
        try:
            _run(tables, line)
        except Refused as refused:
            print(f"{source}:{number}:1-{len(line)}: Error: Could not process rule: {refused}\n"
                  f"{line}", file=sys.stderr)  # fmt: skip
            return 1
    store.write_text(json.dumps(tables))
    return 0


def _run(tables: Tables, line: str) -> None:
    verb, kind, family, name, rest = [*line.split(" ", 4), ""][:5]
    full = f"{family} {name}"
    if kind == "table":
        if verb == "add":
            tables.setdefault(full, {})
        elif tables.pop(full, None) is None:
            raise Refused("No such file or directory")
        return
    if full not in tables:
        raise Refused("No such file or directory")
    table = tables[full]
    which, _, body = rest.partition(" ")
    if kind in ("map", "set"):
        table[which] = {"kind": kind, "words": body, "elements": {}}
    elif kind == "chain" and verb == "add":
        table[which] = {"kind": kind, "words": body, "rules": []}
    elif kind == "chain":
        table[which]["rules"] = []
    elif kind == "rule":
        table[which]["rules"].append(body)
    elif kind == "element":
        _element(table[which], verb, body.strip("{} "))


def _element(held: dict[str, Any], verb: str, text: str) -> None:
    key, _, value = text.partition(" : ")
    box = [_interval(part) for part in key.split(" . ")]
    elements = held["elements"]
    if verb == "delete":
        if elements.pop(json.dumps(box), None) is None:
            raise Refused("No such file or directory")
        return
    for other in map(json.loads, elements):
        if other != box and all(
            one[0] <= two[1] and two[0] <= one[1] for one, two in zip(box, other, strict=True)
        ):
            raise Refused("File exists")
    elements[json.dumps(box)] = value


def _interval(part: str) -> list[Any]:
    if re.fullmatch("[a-z]+", part):
        return [part, part]
    first, _, last = part.partition("-")
    return [_number(first), _number(last or first)]


def _number(text: str) -> Any:
    """Addresses as [family, number], so that intervals compare."""
    if text.startswith("0x") or text.isdecimal():
        return int(text, 0)
    address = ipaddress.ip_address(text)
    return [address.version, int(address)]


def _listing(name: str, table: dict[str, dict[str, Any]]) -> dict[str, Any]:
    family, short = name.split()
    place = {"family": family, "table": short}
    found: list[dict[str, Any]] = [{"metainfo": {"version": "1.0.6"}}]
    found.append({"table": {"family": family, "name": short, "handle": 1}})
    for handle, (which, held) in enumerate(table.items(), 2):
        shown = {**place, "name": which, "handle": handle}
        if held["kind"] == "chain":
            found.append({"chain": {**shown, **_hook(held["words"])}})
        else:
            found.append({held["kind"]: {**shown, **_type(held)}})
    for which, held in table.items():
        found += [
            {"rule": {**place, "chain": which, "handle": 99, "expr": _expression(rule)}}
            for rule in held.get("rules", ())
        ]
    return {"nftables": found}


def _commands(name: str, table: dict[str, dict[str, Any]]) -> list[str]:
    lines = [f"add {held['kind']} {name} {which} {held['words']}" for which, held in table.items()]
    for which, held in table.items():
        lines += [f"add rule {name} {which} {rule}" for rule in held.get("rules", ())]
        for box, value in held.get("elements", {}).items():
            key = " . ".join(_plain(*part) for part in json.loads(box))
            lines.append(f"add element {name} {which} {{ {key}{' : ' + value if value else ''} }}")
    return lines


def _plain(first: Any, last: Any) -> str:
    one, other = _shown_number(first), _shown_number(last)
    return str(one) if one == other else f"{one}-{other}"


def _hook(words: str) -> dict[str, Any]:
    kind, hook, priority = re.findall(r"type (\w+) hook (\w+) priority (\w+)", words)[0]
    number = {"mangle": -150, "srcnat": 100}[priority]
    return {"type": kind, "hook": hook, "prio": number, "policy": "accept"}


def _type(held: dict[str, Any]) -> dict[str, Any]:
    key, _, data = re.findall(r"type ([^;]+);", held["words"])[0].partition(" : ")
    shown: dict[str, Any] = {"type": key.split(" . ")}
    if data:
        shown["map"] = data
    if "flags interval" in held["words"]:
        shown["flags"] = ["interval"]
    elements = [
        [_shown_key(json.loads(box)), int(value, 0)] if data else _shown_key(json.loads(box))
        for box, value in held["elements"].items()
    ]
    return shown | ({"elem": elements} if elements else {})


def _shown_key(box: list[list[Any]]) -> dict[str, Any]:
    return {"concat": [_shown_part(*part) for part in box]}


def _shown_part(first: Any, last: Any) -> Any:
    if first == last:
        return _shown_number(first)
    if isinstance(first, list):
        networks = list(ipaddress.summarize_address_range(_address(first), _address(last)))
        if len(networks) == 1:
            network = networks[0]
            return {"prefix": {"addr": str(network.network_address), "len": network.prefixlen}}
    return {"range": [_shown_number(first), _shown_number(last)]}


def _shown_number(value: Any) -> Any:
    return str(_address(value)) if isinstance(value, list) else value


def _address(value: list[int]) -> Any:
    family, number = value
    return ipaddress.IPv4Address(number) if family == 4 else ipaddress.IPv6Address(number)


def _expression(rule: str) -> list[Any]:
    first: list[Any] = []
    if rule.startswith("meta mark 0x00000000 "):
        rule = rule.removeprefix("meta mark 0x00000000 ")
        first = [{"match": {"op": "==", "left": {"meta": {"key": "mark"}}, "right": 0}}]
    marks = re.fullmatch(r"meta mark set (ip6?) daddr \. meta l4proto \. th dport map (@\w+)", rule)
    if marks:
        key = {"concat": [_payload(marks[1], "daddr"), {"meta": {"key": "l4proto"}},
                          _payload("th", "dport")]}  # fmt: skip
        value = {"map": {"key": key, "data": marks[2]}}
        return [*first, {"mangle": {"key": {"meta": {"key": "mark"}}, "value": value}}]
    source = re.fullmatch(r"meta mark \. (ip6?) daddr (@\w+) (.+)", rule)
    if source is None:
        return [{"other": rule}]
    left = {"concat": [{"meta": {"key": "mark"}}, _payload(source[1], "daddr")]}
    match = {"match": {"op": "==", "left": left, "right": source[2]}}
    return [match, _source(source[3])]


def _source(text: str) -> dict[str, Any]:
    if text == "masquerade":
        return {"masquerade": None}
    _snat, family, _to, address = text.split(" ", 3)
    turns = re.fullmatch(r"numgen random mod (\d+) map \{ (.+) \}", address)
    if turns is None:
        return {"snat": {"family": family, "addr": address}}
    pairs = [pair.split(" : ") for pair in turns[2].split(", ")]
    numbers = {"numgen": {"mode": "random", "mod": int(turns[1]), "offset": 0}}
    data = {"set": [[int(number), one] for number, one in pairs]}
    return {"snat": {"family": family, "addr": {"map": {"key": numbers, "data": data}}}}


def _payload(protocol: str, field: str) -> dict[str, Any]:
    return {"payload": {"protocol": protocol, "field": field}}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
