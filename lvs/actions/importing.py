"""Verbs for bringing a running director under management: look, give a file, import."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from console import audit, changes, operations
from console.access import Actor, require
from console.errors import WrongState
from console.models import Operation
from console.models.fields import name_validator
from lvs.actions.applying import begin_apply
from lvs.importing.drafts import Draft
from lvs.importing.report import Report, report_of
from lvs.keepalived.errors import ConfigurationError
from lvs.keepalived.expand import MAX_SIZE, check_text
from lvs.models import Director, ImportSource, RealServer, ServiceAddress, VirtualService

_CHUNK = 2000


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import declared, and the operation that puts it under management."""

    services: Sequence[VirtualService]
    report: Report
    operation: Operation | None = None

    @property
    def skipped(self) -> int:
        """Entries that were not declared."""
        return len(self.report.drafts) - len(self.services)


def request_survey(actor: Actor, director: Director) -> Operation:
    """Read everything of a director that an import could be made of. Nothing is changed."""
    require(actor, "director.apply", director)
    with transaction.atomic():
        return operations.begin(actor, "director.survey", director)


def give_configuration(
    actor: Actor, director: Director, *, text: str, name: str = "keepalived.conf"
) -> ImportSource:
    """Take a keepalived.conf to make a report of; no machine is asked."""
    require(actor, "director.apply", director)
    try:
        check_text(text[: MAX_SIZE + 1], name)
    except ConfigurationError as error:
        raise ValidationError({"text": ValidationError(str(error), code="not_text")}) from error
    if len(text) > MAX_SIZE:
        raise ValidationError(
            {"text": ValidationError(_("This is larger than 10 MB."), code="too_large")}
        )
    with transaction.atomic():
        source, _made = ImportSource.objects.update_or_create(
            director=director,
            kind=ImportSource.Kind.FILE,
            defaults={
                "name": name[:200],
                "content": ImportSource.packed(text),
                "taken_at": timezone.now(),
            },
        )
    return source


def find_source(director: Director, kind: str) -> ImportSource | None:
    """The kept survey or file."""
    return director.import_sources.filter(kind=kind).first()


def import_director(
    actor: Actor,
    director: Director,
    *,
    source: str = ImportSource.Kind.MACHINE,
    keys: Collection[str] | None = None,
    names: Mapping[str, str] | None = None,
) -> Imported:
    """Declare what the report offers, in one transaction; with `keys` only those entries.

    `names` are names by key, in place of the suggested ones. What came from the director is
    put under management at once: applying it changes nothing in the table. What came from a
    file waits for Apply. Raises WrongState when the import is only possible as a dry run.
    """
    require(actor, "director.apply", director)
    require(actor, "virtual_service.manage")
    with transaction.atomic():
        director = changes.lock(director)
        kept = find_source(director, source)
        if kept is None:
            raise WrongState(_("%(director)s has not been looked at yet.") % {"director": director})
        report = report_of(director, kept)
        if report.blockers:
            problem = report.blockers[0]
            raise WrongState(f"{problem.text(_)} {problem.remedy_text(_)}")
        drafts = [one for one in report.new if keys is None or one.key in keys]
        _rename(drafts, names or {}, director)
        services = _create(actor, drafts)
        _declare_settings(actor, director, report.values, len(services))
        operation = None
        if services and source == ImportSource.Kind.MACHINE:
            operation = begin_apply(actor, director, services, is_adoption=True)
        return Imported(services, report, operation)


def _rename(drafts: Iterable[Draft], names: Mapping[str, str], director: Director) -> None:
    """Put the given names in place. Raises ValidationError with the key as the field."""
    taken = set(director.virtual_services.values_list("name", flat=True))
    errors: dict[str, ValidationError] = {}
    for draft in drafts:
        name = names.get(draft.key) or draft.name
        try:
            name_validator(name)
        except ValidationError as error:
            errors[draft.key] = error
        if name in taken:
            errors[draft.key] = ValidationError(
                _("Another virtual service on this director has this name."), code="duplicate_name"
            )
        taken.add(name)
        draft.service.name = name
    if errors:
        raise ValidationError({f"names.{key}": error for key, error in errors.items()})


def _create(actor: Actor, drafts: Sequence[Draft]) -> list[VirtualService]:
    services = [draft.service for draft in drafts]
    VirtualService.objects.bulk_create(services, batch_size=_CHUNK)
    addresses: list[ServiceAddress] = []
    servers: list[RealServer] = []
    for draft in drafts:
        for row in draft.addresses:
            row.virtual_service = draft.service
            addresses.append(row)
        for server in draft.servers:
            server.virtual_service = draft.service
            servers.append(server)
    ServiceAddress.objects.bulk_create(addresses, batch_size=_CHUNK)
    RealServer.objects.bulk_create(servers, batch_size=_CHUNK)
    audit.record_many(
        actor, "virtual_service.import", [(draft.service, _told(draft)) for draft in drafts]
    )
    return services


def _told(draft: Draft) -> dict[str, list[Any]]:
    return {"entry": ["", "\n".join(draft.lines)]}


def _declare_settings(actor: Actor, director: Director, values: dict[str, Any], count: int) -> None:
    """The director's own settings, and one line of audit for the whole import."""
    before = audit.values_of(director)
    changes.assign(director, values)
    director.full_clean()
    if values:
        director.save()
    told = audit.differences(before, audit.values_of(director))
    told["virtual_services"] = [0, count]
    row: models.Model = director
    audit.record(actor, "director.import", row, changes=told)
