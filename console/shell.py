"""What the frame of the pages offers: entries of the sidebar, what search finds, tiles.

Apps register their own entries when they start, so that the kernel names none of them. An
entry shows up only for actors that may see what it leads to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from console.access import Actor
from console.errors import Forbidden


def may_somewhere(actor: Actor, capability: str) -> bool:
    """Whether the actor has the capability on the fleet or for at least one tenant.

    The empty capability stands for what every signed-in person has of their own.
    """
    return not capability or actor.can(capability) or bool(actor.tenant_ids(capability))


@dataclass(frozen=True, slots=True)
class NavEntry:
    """One line of the sidebar, also found as a page by the palette.

    `counter` names the context variable whose number is shown, in the tone `counter_tone`.
    """

    section: str
    label: str | Promise
    url_name: str
    icon: str
    capability: str = ""
    counter: str = ""
    counter_tone: str = ""


#: Sections in their order, each with its heading.
SECTIONS: dict[str, str | Promise] = {
    "": "",
    "load-balancing": _("Load balancing"),
    "fleet": _("Fleet"),
    "account": _("Account"),
}
NAVIGATION: list[NavEntry] = []


def register_navigation(*entries: NavEntry) -> None:
    """Add entries to the sidebar, in their order within the section."""
    NAVIGATION.extend(entries)


def navigation_for(actor: Actor) -> list[tuple[str | Promise, list[tuple[NavEntry, str]]]]:
    """[(heading, [(entry, URL)])] with what the actor may see; empty sections are left out."""
    sections = []
    for section, heading in SECTIONS.items():
        entries = [
            (entry, reverse(entry.url_name))
            for entry in NAVIGATION
            if entry.section == section and may_somewhere(actor, entry.capability)
        ]
        if entries:
            sections.append((heading, entries))
    return sections


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that search found."""

    label: str
    detail: str
    url: str
    icon: str


@dataclass(frozen=True, slots=True)
class Finder:
    """Finds one sort of object by what somebody typed: at most `limit` rows."""

    heading: str | Promise
    find: Callable[[Actor, str, int], Iterable[Found]]


FINDERS: list[Finder] = []


def register_finder(finder: Finder) -> None:
    """Make one more sort of object searchable."""
    FINDERS.append(finder)


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure of the dashboard: the number, what it counts, what it is made of."""

    label: str | Promise
    figure: int | str
    parts: str
    url: str


TILES: list[Callable[[Actor], Tile | None]] = []


def register_tile(tile: Callable[[Actor], Tile | None]) -> None:
    """Add a figure to the dashboard. The function answers None where it has none to show."""
    TILES.append(tile)


@dataclass(frozen=True, slots=True)
class FirstStep:
    """One step of setting up an empty fleet; `is_done` looks whether it was taken.

    A shortcut has a button on top of the dashboard for good.
    """

    title: str | Promise
    text: str | Promise
    url_name: str
    button: str | Promise
    capability: str
    is_done: Callable[[], bool]
    is_shortcut: bool = False


FIRST_STEPS: list[FirstStep] = []


def register_first_steps(*steps: FirstStep) -> None:
    """Add steps to the card that an empty fleet shows, in their order."""
    FIRST_STEPS.extend(steps)


#: Model label -> name of the URL of one object; takes its primary key.
TARGETS: dict[str, str] = {}


def register_target(model: type[models.Model] | str, url_name: str) -> None:
    """Say where the page of one kind of object is, for operations, alerts and audit lines."""
    TARGETS[model if isinstance(model, str) else model._meta.label_lower] = url_name


def target_url(target_type: str, target_id: Any) -> str:
    """The page of an object named by label and key, or "" where there is none."""
    name = TARGETS.get(target_type)
    if name is None or target_id is None:
        return ""
    return reverse(name, args=[target_id])


#: Kind of alert -> the words on its button, which leads to the alert's target.
ALERT_BUTTONS: dict[str, str | Promise] = {}


def require_somewhere(actor: Actor, capability: str) -> None:
    """Raise Forbidden unless the actor has the capability on the fleet or for a tenant."""
    if not may_somewhere(actor, capability):
        raise Forbidden(capability)


def register_alert_button(kind: str, label: str | Promise) -> None:
    """Name the one thing to press for a kind of alert."""
    ALERT_BUTTONS[kind] = label
