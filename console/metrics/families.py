"""What is measured of which kind of object. Apps register their families when they start."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise

Words = str | Promise


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of an object. A counter is read as a number that grows and shown as a rate;
    `unit` is that of the rate, or of the gauge: "1/s", "B/s", ""."""

    name: str
    title: Words
    unit: str
    is_counter: bool = True


@dataclass(frozen=True, slots=True)
class Family:
    """The metrics of one kind of object, in the order in which they are stored: new ones are
    only ever added at the end. All are numbers of 0 or more."""

    target_type: str
    metrics: tuple[Metric, ...]

    @property
    def counters(self) -> tuple[bool, ...]:
        """Which of them are counters."""
        return tuple(metric.is_counter for metric in self.metrics)


FAMILIES: dict[str, Family] = {}


def register(family: Family) -> Family:
    """Make a family known."""
    FAMILIES[family.target_type] = family
    return family
