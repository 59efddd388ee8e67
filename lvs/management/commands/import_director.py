"""`manage.py import_director NAME`: read a running director and declare what is there."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from console.commands import ConsoleCommand
from console.errors import VerbRefused
from console.planning import Problem
from lvs.actions import importing
from lvs.importing.drafts import State
from lvs.importing.report import Report, report_of
from lvs.models import Director, ImportSource


class Command(ConsoleCommand):
    help = (
        "Read a running director, say what would be declared and what would not, and declare it."
        " Nothing on the director changes."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="name of the director's host")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
        parser.add_argument(
            "--file", type=Path, help="a keepalived.conf to take instead of what runs there"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        actor = self.actor()
        director = Director.objects.filter(host__name=options["name"]).first()
        if director is None:
            raise CommandError(f"There is no director named {options['name']}.")
        kind = ImportSource.Kind.FILE if options["file"] else ImportSource.Kind.MACHINE
        try:
            if options["file"]:
                text = options["file"].read_text(errors="replace")
                importing.give_configuration(actor, director, text=text, name=options["file"].name)
            else:
                self.finished(importing.request_survey(actor, director))
            director.refresh_from_db()
            source = director.import_sources.get(kind=kind)
            self._report(report_of(director, source))
            if options["dry_run"]:
                return
            done = importing.import_director(actor, director, source=kind)
        except OSError as error:
            raise CommandError(f"{options['file']}: {error.strerror}") from error
        except ValidationError as error:
            raise self.refused(error) from error
        except VerbRefused as error:
            raise CommandError(str(error)) from error
        if done.operation is not None:
            self.finished(done.operation)
        self.stdout.write(f"Declared: {len(done.services)}. Left out: {done.skipped}.")

    def _report(self, report: Report) -> None:
        for draft in report.drafts:
            label = State(draft.state).label
            self.stdout.write(f"{draft.key}  {label}" + (f" as {draft.name}" * bool(draft.name)))
            for problem in draft.problems:
                self._say(problem)
        for field, value in report.values.items():
            self.stdout.write(f"{field} = {value}")
        for problem in [*report.problems, *report.blockers]:
            self._say(problem)
        for words, command in report.handover:
            self.stdout.write(f"  {_(words)} {command}".rstrip())

    def _say(self, problem: Problem) -> None:
        self.stdout.write(f"  ! {problem.text(_)}\n      {problem.remedy_text(_)}")
