"""Brings our nftables table to what it should be: additions before the IPVS table changes,
removals after it, each in one transaction."""

from __future__ import annotations

from collections.abc import Mapping

from console.planning import Effect, Line, Plan, Step
from console.planning import mark as _
from lvs.director.nftables import (
    CHAINS,
    NAME,
    RANGES,
    SETS,
    Marking,
    Ruleset,
    add_element,
    delete_element,
    whole,
)

ARGV = ("nft", "-f", "-")
#: The table as it is before a transaction, and the line that brings it back.
_KEEP = f"""\
{{
  echo 'add table {NAME}'
  echo 'delete table {NAME}'
  nft list table {NAME} 2>/dev/null || :
}} > nft-before
echo 'nft -f nft-before'"""
#: Seconds for a transaction, and for each of its lines.
_TIMEOUT, _TIMEOUT_PER_LINE = 30.0, 0.02


def before(marking: Marking, observed: Ruleset | None) -> Plan:
    """The table itself, its rules, and what it has to hold more or otherwise."""
    if not marking:
        return Plan()
    wanted = marking.ruleset()
    if observed is None or observed.objects != wanted.objects:
        lines = [Line(text, Effect.ADD) for text in whole(marking)]
        return _transaction(_("Make the nftables table for marks and Full NAT"), lines)
    lines = _changed_rules(marking, wanted, observed)
    commands = [line.text for line in lines]
    for name in SETS:
        if _is_recut(name, wanted, observed):
            removing = _obsolete(name, wanted, observed)
            lines += removing
            commands += [line.text for line in removing]
        held = _by_key(observed.elements[name])
        for key, element in sorted(_by_key(wanted.elements[name]).items()):
            was = held.get(key)
            if was == element:
                continue
            adding = add_element(name, element)
            if was is None:
                lines.append(Line(adding, Effect.ADD))
            else:
                lines.append(Line(adding, Effect.CHANGE, add_element(name, was)))
                commands.append(delete_element(name, was))
            commands.append(adding)
    return _transaction(_("Change marks and Full NAT"), lines, commands)


def after(marking: Marking, observed: Ruleset | None) -> Plan:
    """What nothing needs any more; the whole table where nothing is left."""
    if observed is None:
        return Plan()
    if not marking:
        line = Line(f"delete table {NAME}", Effect.REMOVE)
        return _transaction(_("Take our nftables table away"), [line])
    wanted = marking.ruleset()
    if observed.objects != wanted.objects:
        return Plan()
    lines = [
        line
        for name in SETS
        if not _is_recut(name, wanted, observed)
        for line in _obsolete(name, wanted, observed)
    ]
    return _transaction(_("Take marks away"), lines)


def _is_recut(name: str, wanted: Ruleset, observed: Ruleset) -> bool:
    """Whether ranges are cut otherwise: then old ones have to go in the transaction in which
    new ones come, for the kernel takes no two that overlap."""
    held = _by_key(observed.elements[name])
    return name in RANGES.values() and any(
        key not in held for key in _by_key(wanted.elements[name])
    )


def _obsolete(name: str, wanted: Ruleset, observed: Ruleset) -> list[Line]:
    needed = _by_key(wanted.elements[name])
    return [
        Line(delete_element(name, element), Effect.REMOVE, add_element(name, element))
        for key, element in sorted(_by_key(observed.elements[name]).items())
        if key not in needed
    ]


def _changed_rules(marking: Marking, wanted: Ruleset, observed: Ruleset) -> list[Line]:
    rules = marking.rules()
    lines: list[Line] = []
    for chain in CHAINS:
        if observed.rules.get(chain, ()) != wanted.rules[chain]:
            lines.append(Line(f"flush chain {NAME} {chain}", Effect.CHANGE))
            lines += [
                Line(f"add rule {NAME} {chain} {rule.text}", Effect.ADD) for rule in rules[chain]
            ]
    return lines


def _by_key(elements: frozenset[str]) -> Mapping[str, str]:
    return {element.partition(" : ")[0]: element for element in elements}


def _transaction(title: str, lines: list[Line], commands: list[str] | None = None) -> Plan:
    if not lines:
        return Plan()
    texts = commands if commands is not None else [line.text for line in lines]
    step = Step(
        title=title,
        argv=ARGV,
        lines=tuple(lines),
        stdin="".join(f"{text}\n" for text in texts).encode(),
        is_destructive=any(line.effect is Effect.REMOVE for line in lines),
        timeout=_TIMEOUT + _TIMEOUT_PER_LINE * len(texts),
        keep=_KEEP,
    )
    return Plan((step,))
