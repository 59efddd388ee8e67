"""The `ip` of a fake director: addresses kept in a JSON file, local routes in another.

Understands `-j address show`, `-j -4|-6 route show table local proto N` and `[-force] -batch
FILE` with `address add|replace|delete A/P dev IF` and `route add|replace|delete local N`, and
refuses what iproute2 refuses, in its words.
"""

from __future__ import annotations

import json
import sys
from ipaddress import ip_interface
from pathlib import Path


def main(store: Path, words: list[str]) -> int:
    held: dict[str, list[str]] = json.loads(store.read_text())
    routes: list[str] = held.pop("routes", [])
    if words[:2] == ["-j", "route"]:
        print(json.dumps([route for name, addresses in held.items() for route in _ways(name,
                          addresses)]))  # fmt: skip
        return 0
    if words[:1] == ["-j"] and "route" in words:
        print(json.dumps([{"type": "local", "dst": one, "dev": "lo"} for one in routes
                          if (":" in one) == (words[1] == "-6")]))  # fmt: skip
        return 0
    if words[:1] == ["-j"]:
        print(json.dumps([_link(name, addresses) for name, addresses in held.items()]))
        return 0
    source = words[words.index("-batch") + 1]
    text = sys.stdin.read() if source == "-" else Path(source).read_text()
    code = 0
    for number, line in enumerate(text.splitlines(), 1):
        change = (
            _route(routes, line.split())
            if line.startswith("route")
            else _change(held, line.split())
        )
        if said := change:
            print(f"{said}\nCommand failed -:{number}", file=sys.stderr)
            code = 1
            if "-force" not in words:
                break
    store.write_text(json.dumps({**held, "routes": routes} if routes else held))
    return code


def _route(routes: list[str], words: list[str]) -> str:
    _route, verb, _local, network, *_rest = words
    if verb == "delete":
        if network not in routes:
            return "RTNETLINK answers: No such process"
        routes.remove(network)
    elif network not in routes:
        routes.append(network)
    elif verb == "add":
        return "RTNETLINK answers: File exists"
    return ""


def _link(name: str, addresses: list[str]) -> dict[str, object]:
    info = [
        {"local": address, "prefixlen": int(prefix)}
        for address, _, prefix in (one.partition("/") for one in addresses)
    ]
    return {"ifname": name, "addr_info": info}


def _ways(name: str, addresses: list[str]) -> list[dict[str, object]]:
    """Its own networks, and the world behind host 254 of the first of pub0."""
    networks = [ip_interface(one).network for one in addresses if not one.endswith(("/32", "/128"))]
    ways: list[dict[str, object]] = [{"dst": str(one), "dev": name} for one in networks]
    if name == "pub0" and networks:
        ways.append({"dst": "default", "gateway": str(networks[0][254]), "dev": name})
    return ways


def _change(held: dict[str, list[str]], words: list[str]) -> str:
    _address, verb, address, _dev, name, *_rest = words
    if name not in held:
        return f'Cannot find device "{name}"'
    if verb == "delete":
        if address not in held[name]:
            return "RTNETLINK answers: Cannot assign requested address"
        held[name].remove(address)
    elif address not in held[name]:
        held[name].append(address)
    elif verb == "add":
        return "RTNETLINK answers: File exists"
    return ""


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
