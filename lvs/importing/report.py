"""The report before an import: what will become what, and what will not, and why.

Made from a kept text and the database alone; nothing is asked of a machine.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.utils import timezone

from console.planning import Problem
from console.planning import mark as _
from lvs import planned
from lvs.director.marks import Feed
from lvs.director.survey import SAVED, Survey, read_survey
from lvs.director.types import Surroundings
from lvs.importing import findings
from lvs.importing.drafts import Draft, Known, State, draft_of
from lvs.importing.names import suggest
from lvs.importing.settings import interface_of, is_single, settings_from
from lvs.ipvsadm.schedulers import SCHEDULERS
from lvs.ipvsadm.types import Table
from lvs.keepalived.errors import ConfigurationError
from lvs.keepalived.parse import parse
from lvs.keepalived.table import Expressed, table_of
from lvs.keepalived.types import Configuration
from lvs.keepalived.wording import unexpressed
from lvs.models import Director, ImportSource

#: How long a survey may stand before an import wants a newer one.
FRESH = timedelta(minutes=15)


@dataclass
class Report:
    """What importing would do.

    `drafts` are all entries with what becomes of each. `values` are fields of the director
    that would be declared along. `blockers` keep the import from being more than a dry run.
    """

    director: Director
    kind: str
    name: str
    taken_at: datetime
    drafts: list[Draft] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    blockers: list[Problem] = field(default_factory=list)
    #: Commands that end the other writer and leave its table, in their order.
    handover: list[tuple[str, str]] = field(default_factory=list)

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many entries there are in each state."""
        found = Counter(draft.state for draft in self.drafts)
        return {state.value: found.get(state, 0) for state in State}

    @property
    def new(self) -> list[Draft]:
        """What would be declared."""
        return [draft for draft in self.drafts if draft.state is State.NEW]

    @property
    def servers(self) -> int:
        """Real servers that would be declared."""
        return sum(len(draft.servers) for draft in self.new)

    @property
    def is_possible(self) -> bool:
        return not self.blockers and bool(self.new or self.values)


def report_of(director: Director, source: ImportSource) -> Report:
    """The report of a kept survey, or of a file that was given."""
    report = Report(director, source.kind, source.name, source.taken_at)
    if source.kind == ImportSource.Kind.FILE:
        _from_file(report, source)
    else:
        _from_machine(report, read_survey(source.text))
    if not report.blockers and not report.new and not report.values:
        report.blockers.append(findings.nothing())
    return report


def _from_file(report: Report, source: ImportSource) -> None:
    try:
        configuration = parse(source.text, source.name)
    except ConfigurationError as error:
        report.blockers.append(error.problem)
        return
    made = table_of(configuration)
    report.problems += [*configuration.problems, *made.problems, *unexpressed(configuration)]
    _draft(report, made.table, made, {})
    _refuse_unmanaged(report)
    timeouts = zip(
        ("tcp_timeout", "tcp_fin_timeout", "udp_timeout"), configuration.timeouts, strict=True
    )
    report.values = {
        name: seconds
        for name, seconds in timeouts
        if seconds and getattr(report.director, name) is None
    }


def _refuse_unmanaged(report: Report) -> None:
    """A file must not take over an entry that somebody else has put into the table."""
    present = planned.observed_table(report.director)
    for draft in report.new:
        if draft.entry.service.key in present:
            draft.state = State.REFUSED
            draft.problems.append(findings.unmanaged(draft.entry.service.key))


def _from_machine(report: Report, survey: Survey) -> None:
    configuration, made = _configuration(report, survey)
    table = survey.look.read.table
    feeds: dict[int, list[Feed]] = defaultdict(list)
    for feed in survey.feeds:
        feeds[feed.mark].append(feed)
    _draft(report, table, made, feeds)
    report.values = settings_from(report.director, survey.look.surroundings)
    _place_vips(report, survey, configuration)
    report.problems += findings.about_machine(survey, configuration)
    report.problems += findings.compared(made, table)
    writers = findings.writers(survey, configuration)
    if writers:
        report.blockers.append(findings.another_writer(writers))
        report.handover = findings.handover(writers, configuration)
    if timezone.now() - report.taken_at > FRESH:
        report.blockers.append(findings.too_old())
    elif _has_moved(report.director, report.taken_at, survey):
        report.blockers.append(findings.has_moved())


def _configuration(report: Report, survey: Survey) -> tuple[Configuration, Expressed]:
    path = survey.configuration
    if not path:
        return Configuration(), Expressed()
    files = {name: text for name, text in survey.files.items() if name not in SAVED}
    try:
        found = parse(files[path], path, files=files, config_id=survey.config_id())
    except ConfigurationError as error:
        report.problems.append(error.problem)
        return Configuration(), Expressed()
    made = table_of(found)
    if found.servers or findings.runs(survey, "keepalived"):
        report.problems += [*found.problems, *made.problems, *unexpressed(found)]
    return found, made


def _draft(report: Report, table: Table, made: Expressed, feeds: Mapping[int, list[Feed]]) -> None:
    director = report.director
    known = Known.of(director, planned.kernel_schedulers(director) or SCHEDULERS)
    taken = set(director.virtual_services.values_list("name", flat=True))
    marks = set(director.virtual_services.values_list("fwmark", flat=True))
    places = set(director.virtual_services.values_list("protocol", "vip", "port"))
    for key, entry in sorted(table.items()):
        draft = draft_of(director, entry, known, feeds)
        draft.origin = made.origins.get(key)
        if draft.state is State.NEW:
            service = draft.service
            place = (service.protocol, service.vip, service.port)
            if place in places or (key.fwmark and key.fwmark in marks):
                draft.state = State.REFUSED
                draft.problems.append(findings.place_taken(key))
            else:
                places.add(place)
                marks.add(key.fwmark or None)
                draft.name = service.name = suggest(draft.key, draft.origin, taken)
                taken.add(draft.name)
        report.drafts.append(draft)


def _place_vips(report: Report, survey: Survey, configuration: Configuration) -> None:
    """Which VIPs the console is to hold: those that its interface holds as addresses of their
    own, and that VRRP does not move."""
    surroundings = survey.look.surroundings
    services = [draft.service for draft in report.new]
    vips = {service.vip for service in services}
    director, interface = report.director, report.director.vip_interface
    found = interface_of(vips, surroundings)
    if found and found != interface and not director.virtual_services.exists():
        report.values["vip_interface"] = interface = found
    moved = (
        {address.partition("/")[0] for one in configuration.vrrp for address, _on in one.addresses}
        if findings.runs(survey, "keepalived")
        else set()
    )
    single = {
        address.partition("/")[0]
        for address in surroundings.addresses.get(interface, ())
        if is_single(address)
    }
    ours = single - moved
    for service in services:
        service.is_vip_managed = service.vip in ours
    report.problems += _about_vips(vips - ours, surroundings, interface)


def _about_vips(others: set[str], surroundings: Surroundings, interface: str) -> list[Problem]:
    missing = sorted(others - surroundings.bare_addresses())
    found = []
    if missing:
        found.append(
            Problem(
                "import-vip-absent",
                "vip",
                _("%(count)s VIPs are not addresses of the director now: %(vips)s."),
                _(
                    "They are declared as not managed: clients reach them only once something else"
                    " brings their packets here."
                ),
                {"count": len(missing), "vips": findings.some(missing)},
                is_blocking=False,
            )
        )
    elsewhere = sorted(others - set(missing))
    if elsewhere:
        found.append(
            Problem(
                "import-vip-elsewhere",
                "vip",
                _("%(count)s VIPs are not single addresses of %(interface)s alone: %(vips)s."),
                _(
                    "They are declared as not managed: the console leaves those addresses to what"
                    " has put them there. Mark the service's VIP as managed to change that."
                ),
                {
                    "count": len(elsewhere),
                    "interface": interface,
                    "vips": findings.some(elsewhere),
                },
                is_blocking=False,
            )
        )
    return found


def _has_moved(director: Director, taken_at: datetime, survey: Survey) -> bool:
    """Whether a later look found another table."""
    seen_later = director.observed_at is not None and director.observed_at > taken_at
    return seen_later and director.table_digest not in ("", survey.look.digest)
