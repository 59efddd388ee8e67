"""Measurements of whatever the console looks at: kept small, for a year.

An object (a director, a virtual service, a host) has a `Meter`: its last reading and the rows
of the running hour. When the hour is over, its rows become a chunk, and their sums one row
for each five minutes and one for the hour. See docs/metrics.md.
"""
