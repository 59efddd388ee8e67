"""Measurements at rest: see `console.metrics`."""

from __future__ import annotations

from django.db import models


class Meter(models.Model):
    """The last reading of one object, and the packed rows of the running hour.

    `readings` are the numbers as they were read, in the order of the object's family, None
    where there was none; `cells` what the metrics did since the reading before. `hour` is the
    beginning of the hour that `tail` belongs to, in seconds since 1970.
    """

    target_type = models.CharField(max_length=64)
    target_id = models.BigIntegerField()
    at = models.DateTimeField(db_index=True)
    readings = models.JSONField(default=list)
    cells = models.JSONField(default=list)
    hour = models.BigIntegerField(default=0)
    tail = models.BinaryField(default=bytes)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["target_type", "target_id"], name="one_meter_a_target")
        ]

    def __str__(self) -> str:
        return f"{self.target_type} {self.target_id}"


class MeterChunk(models.Model):
    """Rows of one meter, compressed: raw ones (`span` 0) of an hour, or those put together by
    `span` seconds of a longer time. `start` is in seconds since 1970."""

    meter = models.ForeignKey(Meter, on_delete=models.CASCADE, related_name="chunks")
    span = models.PositiveIntegerField()
    start = models.BigIntegerField()
    data = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["meter", "span", "start"], name="one_chunk_a_time")
        ]
        indexes = [models.Index(fields=["span", "start"], name="meter_chunk_age")]

    def __str__(self) -> str:
        return f"{self.meter_id}/{self.span} {self.start}"
