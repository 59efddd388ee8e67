"""Writes a configuration as keepalived.conf: every value spelled out, in keepalived's words."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lvs.ipvsadm.types import Tunnel, TunnelType
from lvs.keepalived.parse import METHODS
from lvs.keepalived.tree import Statement
from lvs.keepalived.types import Configuration, Group, Mark, Range, Server, VirtualServer, Vrrp

_INDENT = "    "
_NAMES = {method: name for name, method in METHODS.items()}
_PLAIN = re.compile(r"[A-Za-z0-9._:/%+=,*?-]+")


def render(configuration: Configuration) -> str:
    """The text that `parse` reads back as the same values."""
    return "".join(f"{line}\n" for line in _lines(configuration))


def _lines(made: Configuration) -> Iterator[str]:
    if made.settings or made.sync_daemon or any(made.timeouts):
        yield "global_defs {"
        yield from _indented(_globals(made))
        yield "}"
    for one in made.rest:
        yield from statement(one)
    for instance in made.vrrp:
        yield from _block(f"vrrp_instance {word(instance.name)}", _vrrp(instance))
    for group in made.groups:
        yield from _block(f"virtual_server_group {word(group.name)}", _group(group))
    for server in made.servers:
        yield from _block(f"virtual_server {_target(server.target)}", _virtual_server(server))


def _globals(made: Configuration) -> Iterator[str]:
    for one in made.settings:
        yield from statement(one)
    if any(made.timeouts):
        names = zip(("tcp", "tcpfin", "udp"), made.timeouts, strict=True)
        yield "lvs_timeouts " + " ".join(f"{name} {value}" for name, value in names if value)
    if made.sync_daemon:
        yield " ".join(["lvs_sync_daemon", *map(word, made.sync_daemon)])


def _vrrp(one: Vrrp) -> Iterator[str]:
    if one.interface:
        yield f"interface {word(one.interface)}"
    if one.addresses:
        yield "virtual_ipaddress {"
        for address, device in one.addresses:
            yield f"{_INDENT}{word(address)}" + (f" dev {word(device)}" if device else "")
        yield "}"
    for rest in one.rest:
        yield from statement(rest)


def _group(group: Group) -> Iterator[str]:
    for one in group.ranges:
        yield _range(one)
    for mark in group.marks:
        family = {4: " inet", 6: " inet6"}.get(mark.family, "")
        yield f"fwmark {mark.number}{family}"


def _virtual_server(one: VirtualServer) -> Iterator[str]:
    if one.family:
        yield f"ip_family {'inet6' if one.family == 6 else 'inet'}"
    if one.scheduler:
        yield f"lvs_sched {word(one.scheduler)}"
    yield from one.flags
    if one.one_packet:
        yield "ops"
    if one.method:
        yield f"lvs_method {_NAMES[one.method]}{_tunnel(one.tunnel)}"
    if one.protocol:
        yield f"protocol {one.protocol.upper()}"
    if one.persistence is not None:
        yield f"persistence_timeout {one.persistence}"
    if one.granularity:
        yield f"persistence_granularity {word(one.granularity)}"
    if one.engine:
        yield f"persistence_engine {word(one.engine)}"
    if one.weight != 1:
        yield f"weight {one.weight}"
    if one.quorum != 1:
        yield f"quorum {one.quorum}"
    if one.hysteresis:
        yield f"hysteresis {one.hysteresis}"
    if one.inhibits:
        yield "inhibit_on_failure"
    if one.virtualhost:
        yield f"virtualhost {word(one.virtualhost)}"
    for rest in one.rest:
        yield from statement(rest)
    if one.sorry:
        yield from _server("sorry_server", one.sorry)
    for server in one.servers:
        yield from _server("real_server", server)


def _server(keyword: str, one: Server) -> Iterator[str]:
    head = f"{keyword} {one.address}" + (f" {one.port}" if one.port else "")
    inside = list(_server_lines(one))
    if inside or keyword == "real_server":
        yield from _block(head, iter(inside))
    else:
        yield head


def _server_lines(one: Server) -> Iterator[str]:
    if one.weight is not None:
        yield f"weight {one.weight}"
    if one.method:
        yield f"lvs_method {_NAMES[one.method]}{_tunnel(one.tunnel)}"
    if one.upper_threshold:
        yield f"uthreshold {one.upper_threshold}"
    if one.lower_threshold:
        yield f"lthreshold {one.lower_threshold}"
    if one.inhibits is not None:
        yield "inhibit_on_failure" + ("" if one.inhibits else " off")
    for rest in one.rest:
        yield from statement(rest)


def statement(one: Statement) -> Iterator[str]:
    """A statement with its block, as it was read."""
    head = " ".join(map(word, one.words))
    if one.children:
        yield from _block(head, (line for child in one.children for line in statement(child)))
    else:
        yield head


def word(text: str) -> str:
    """A word as it must be written to be read back: quoted where it has to be."""
    if _PLAIN.fullmatch(text):
        return text
    escaped = re.sub(r"([\"\\])", r"\\\1", text)
    return f'"{escaped}"'


def _block(head: str, inside: Iterator[str]) -> Iterator[str]:
    yield f"{head} {{"
    yield from _indented(inside)
    yield "}"


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (f"{_INDENT}{line}" for line in lines)


def _tunnel(tunnel: Tunnel | None) -> str:
    if tunnel is None:
        return ""
    text = f" type {tunnel.type}"
    if tunnel.type is TunnelType.GUE:
        text += f" port {tunnel.port}"
    return text if tunnel.type is TunnelType.IPIP else f"{text} {tunnel.checksum}"


def _target(target: Range | Mark | str) -> str:
    if isinstance(target, Mark):
        return f"fwmark {target.number}"
    return f"group {word(target)}" if isinstance(target, str) else _range(target)


def _range(one: Range) -> str:
    addresses = one.first if one.first == one.last else f"{one.first}-{one.last}"
    return f"{addresses} {one.port}" if one.port else addresses
