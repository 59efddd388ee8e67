"""`manage.py onboard NAME ADDRESS`: declare a host, compare its key, look what is there."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from console.access import Actor
from console.actions import credentials, hosts
from console.commands import ConsoleCommand
from console.models import Credential, Host
from console.preflight import Finding


class Command(ConsoleCommand):
    help = "Declare a host, compare its key and accept it, then say what it has and lacks."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument("address")
        parser.add_argument("--port", type=int, default=22)
        parser.add_argument("--user", default="root")
        parser.add_argument("--credential", help="name of a credential that the console has")
        parser.add_argument("--key-file", type=Path, help="a private key, kept as NAME-key")
        parser.add_argument(
            "--password-stdin", action="store_true", help="read a password from standard input"
        )
        parser.add_argument("--jump", help="name of the host that it is reached through")
        parser.add_argument(
            "--fingerprint", help="accept the key if it has this SHA256 fingerprint; else ask"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        actor = self.actor()
        try:
            host = self._declare(actor, options)
            offered = self._compare(host, options["fingerprint"])
            operation = hosts.accept_key(actor, host, fingerprint=offered)
        except ValidationError as error:
            raise self.refused(error) from error
        self.finished(operation)
        host.refresh_from_db()
        self._report(host)

    def _declare(self, actor: Actor, options: dict[str, Any]) -> Host:
        jump = options["jump"]
        host, operation = hosts.create_host(
            actor,
            name=options["name"],
            address=options["address"],
            port=options["port"],
            username=options["user"],
            credential=self._credential(actor, options),
            jump_host=self._named(Host, jump) if jump else None,
        )
        self.finished(operation)
        host.refresh_from_db()
        return host

    def _credential(self, actor: Actor, options: dict[str, Any]) -> Credential:
        if options["credential"]:
            return self._named(Credential, options["credential"])
        if options["key_file"]:
            try:
                secret = options["key_file"].read_text()
            except OSError as error:
                raise CommandError(f"{options['key_file']}: {error.strerror}") from error
            return credentials.create_credential(
                actor, name=f"{options['name']}-key", kind="key", secret=secret
            )
        if options["password_stdin"]:
            return credentials.create_credential(
                actor,
                name=f"{options['name']}-password",
                kind="password",
                secret=sys.stdin.readline().rstrip("\n"),
            )
        raise CommandError("Give --credential, --key-file or --password-stdin.")

    def _named(self, model: Any, name: str) -> Any:
        found = model.objects.filter(name=name).first()
        if found is None:
            raise CommandError(f"There is no {model._meta.verbose_name} named {name}.")
        return found

    def _compare(self, host: Host, expected: str | None) -> str:
        self.stdout.write(f"{host.name} shows {host.offered_fingerprint}")
        if expected:
            return expected
        self.stdout.write(
            "Compare it with what this prints on the machine itself:\n"
            "  ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"
        )
        if input("Is it the same? Type yes to accept it: ").strip().lower() != "yes":
            raise CommandError(
                f"Not accepted. {host.name} stays declared; accept its key on its page, or"
                " delete it there."
            )
        return host.offered_fingerprint

    def _report(self, host: Host) -> None:
        for role, verdict in host.preflight.get("roles", {}).items():
            self.stdout.write(f"{role}: {verdict}")
        for data in host.preflight.get("findings", []):
            finding = Finding.from_json(data)
            self.stdout.write(f"  [{finding.status}] {finding.text()}")
            if finding.status != "ok" and finding.remedy_text():
                self.stdout.write(f"      {finding.remedy_text()}")
