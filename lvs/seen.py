"""Keeping what was seen of a director: the table, its age, drift, and the alerts about it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from console import alerts, hosts
from console.converge import describe
from console.planning import Plan
from lvs.director.sample import Look
from lvs.ipvsadm import planner, render
from lvs.ipvsadm.types import ServiceKey, Table
from lvs.models import Director

#: Lines of planned changes that a page and an alert show.
DRIFT_LINES = 200
#: Drift is believed when two looks in a row agree, unless they are this far apart (seconds).
LOOKS_TO_BELIEVE = 2


def keep_look(director: Director, look: Look, owned: Collection[ServiceKey]) -> None:
    """Write a whole look down: table, digest, surroundings and age."""
    now = timezone.now()
    director.set_observed_lines(render.render_table(look.read.table))
    director.set_observed_counts(look.read.rows)
    director.table_digest = look.digest
    director.observed_facts = look.surroundings.to_json()
    director.unmanaged_count = len(planner.unmanaged(look.read.table, owned))
    director.observed_at = director.observed_whole_at = now
    director.observe_error, director.observe_error_words = "", {}
    director.table_size = planner.entry_count(look.read.table)
    _save(
        director,
        "observed_table",
        "observed_counts",
        "table_digest",
        "observed_facts",
        "unmanaged_count",
        "observed_at",
        "observed_whole_at",
        "observe_error",
        "observe_error_words",
        "table_size",
    )
    hosts.note_success(director.host)


def keep_part(director: Director, look: Look, keys: Collection[ServiceKey]) -> None:
    """Write a quick look down: the services of `keys` as they are now, the rest as it was."""
    lines = [line for line in director.observed_lines if not _is_about(line, keys)]
    director.set_observed_lines([*lines, *render.render_table(look.read.table)])
    director.table_digest = look.digest
    director.observed_facts = look.surroundings.to_json()
    director.observed_at = timezone.now()
    director.observe_error, director.observe_error_words = "", {}
    _save(
        director,
        "observed_table",
        "table_digest",
        "observed_facts",
        "observed_at",
        "observe_error",
        "observe_error_words",
    )
    hosts.note_success(director.host)


def keep_surroundings(director: Director, look: Look) -> None:
    """What is around the table was read, and the table was not."""
    director.observed_facts = look.surroundings.to_json()
    _save(director, "observed_facts")


def keep_unchanged(director: Director, look: Look) -> None:
    """Nothing moved since the last look: only its age and surroundings are new."""
    director.observed_facts = look.surroundings.to_json()
    director.observed_at = timezone.now()
    director.observe_error, director.observe_error_words = "", {}
    _save(director, "observed_facts", "observed_at", "observe_error", "observe_error_words")
    hosts.note_success(director.host)


def keep_error(director: Director, error: str, words: dict[str, Any] | None = None) -> None:
    """The look failed: the last observation stays, with its age and this reason. `words`
    are those of a reason of ours (see `console.words`)."""
    director.observe_error, director.observe_error_words = error, words or {}
    _save(director, "observe_error", "observe_error_words")


def keep_drift(director: Director, left: Plan) -> bool:
    """Note what a look would change; True when two looks in a row found drift.

    Drift that is gone resolves its alert.
    """
    text = "\n".join(describe(left, DRIFT_LINES))
    count = sum(len(step.lines) or 1 for step in left)
    director.drift, director.drift_count = text, count
    if not count:
        director.drift_since, director.drift_looks = None, 0
        alerts.resolve("director-drift", director)
    else:
        director.drift_since = director.drift_since or timezone.now()
        director.drift_looks += 1
    _save(director, "drift", "drift_count", "drift_since", "drift_looks")
    return director.drift_looks >= LOOKS_TO_BELIEVE


def plan_next_look(director: Director, *, soon: bool = False) -> None:
    """Set when the director is looked at again: early enough that two looks are never more
    than the interval apart, or a moment later to confirm what was just found."""
    wait = 1.0 if soon else max(1.0, settings.POLL_INTERVAL - settings.SWEEP_INTERVAL)
    Director.objects.filter(pk=director.pk).update(
        next_look_at=timezone.now() + timedelta(seconds=wait)
    )


def is_large(director: Director) -> bool:
    """Whether this table is read whole only now and then."""
    return director.table_size > settings.LARGE_TABLE


def needs_whole_look(director: Director) -> bool:
    """Whether the last whole look is missing or too old to stand on."""
    if not director.table_digest or director.observed_whole_at is None:
        return True
    age = (timezone.now() - director.observed_whole_at).total_seconds()
    return age > settings.FULL_READ_INTERVAL


def restrict(table: Table, keys: Collection[ServiceKey]) -> Table:
    """The part of a table under `keys`."""
    wanted = set(keys)
    return {key: entry for key, entry in table.items() if key in wanted}


def _is_about(line: str, keys: Collection[ServiceKey]) -> bool:
    names = {render.service_words(key) for key in keys}
    words = line.split(" ", 4)
    return " ".join(words[1:3]) in names or " ".join(words[1:4]) in names


def _save(director: Director, *fields: str) -> None:
    """Write observed fields only: they are not part of the row's version."""
    Director.objects.filter(pk=director.pk).update(
        **{name: getattr(director, name) for name in fields}
    )
