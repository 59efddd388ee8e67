"""The two ways in which a sample cannot be used."""

from __future__ import annotations


class ParseError(ValueError):
    """The sample is not what the probe writes. The message quotes what was found."""


class IncompleteSample(ParseError):
    """The sample was cut: its end mark is missing. Nothing in it is believed."""
