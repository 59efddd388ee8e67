"""Import over the API: the report as a document, and the request for it."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from console.api.serializers.base import Strict
from lvs.actions.importing import Imported
from lvs.api.serializers import ProblemOfServiceSerializer
from lvs.importing.drafts import State
from lvs.importing.report import Report
from lvs.models import ImportSource


class ImportRequestSerializer(Strict):
    """A dry run looks at the director, or reads the text of a keepalived.conf; afterwards the
    import declares what the report of that kind offers."""

    dry_run = serializers.BooleanField(
        help_text=_("true: only report. false: declare what the last report offers.")
    )
    kind = serializers.ChoiceField(
        choices=ImportSource.Kind.choices, required=False, default=ImportSource.Kind.MACHINE.value
    )
    text = serializers.CharField(
        required=False,
        trim_whitespace=False,
        help_text=_("A keepalived.conf, with kind “file” and a dry run only."),
    )
    keys = serializers.ListField(
        child=serializers.CharField(max_length=100),
        required=False,
        help_text=_("Only these entries, such as tcp:10.0.0.1:80; all without it."),
    )
    names = serializers.DictField(
        child=serializers.CharField(max_length=64),
        required=False,
        help_text=_("Names by key, in place of the suggested ones."),
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        is_file_run = attrs["dry_run"] and attrs["kind"] == ImportSource.Kind.FILE
        if is_file_run != ("text" in attrs):
            message = _("Give a text with kind “file” and a dry run, and only then.")
            raise serializers.ValidationError({"text": [message]}, code="text")
        return attrs


class DraftSerializer(serializers.Serializer):
    """One entry, and what becomes of it."""

    key = serializers.CharField()
    state = serializers.ChoiceField(choices=State.choices)
    name = serializers.CharField(allow_blank=True)
    lines = serializers.ListField(child=serializers.CharField())
    problems = ProblemOfServiceSerializer(many=True)


class HandoverSerializer(serializers.Serializer):
    """One step of the way from another writer to the console."""

    what = serializers.SerializerMethodField()
    command = serializers.SerializerMethodField()

    def get_what(self, step: tuple[str, str]) -> str:
        return gettext(step[0])

    def get_command(self, step: tuple[str, str]) -> str:
        return step[1]


class ReportSerializer(serializers.Serializer):
    """What importing would do, as of `taken_at`. `blockers` keep it a dry run."""

    kind = serializers.CharField()
    name = serializers.CharField(allow_blank=True)
    taken_at = serializers.DateTimeField()
    is_possible = serializers.BooleanField()
    counts = serializers.DictField(child=serializers.IntegerField())
    values = serializers.DictField(help_text=_("Fields of the director that are declared along."))
    entries = DraftSerializer(source="drafts", many=True)
    problems = ProblemOfServiceSerializer(many=True)
    blockers = ProblemOfServiceSerializer(many=True)
    handover = HandoverSerializer(many=True)


class ImportedSerializer(serializers.Serializer):
    """What was declared, and the operation that puts it under management."""

    services = serializers.SerializerMethodField()
    skipped = serializers.IntegerField()
    operation = serializers.SerializerMethodField()

    @extend_schema_field({"type": "array", "items": {"type": "integer"}})
    def get_services(self, done: Imported) -> list[int]:
        return [service.pk for service in done.services]

    @extend_schema_field({"type": ["string", "null"], "format": "uri"})
    def get_operation(self, done: Imported) -> str | None:
        if done.operation is None:
            return None
        return reverse(
            "api:operation-detail", args=[done.operation.pk], request=self.context["request"]
        )


def document(report: Report) -> dict[str, Any]:
    """A report as plain values."""
    return dict(ReportSerializer(report).data)
