"""A small fleet of fake machines for the app tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from django.utils.module_loading import import_string

from console import machines, operations
from console.machines import Dial
from console.models import Host, Operation
from console.remote.session import Session
from console.remote.transport import HostUnreachable
from lvs import undoing
from lvs.models import Director
from tests import factories
from tests.fakes.director import FakeDirector
from tests.fakes.transport import FakeTransport


@dataclass
class Fleet:
    """Fake machines by host name; a host without one is unreachable."""

    root: Path
    machines: dict[str, FakeTransport] = field(default_factory=dict)

    def session(self, host: Host) -> Session:
        fake = self.machines.get(host.name)
        if fake is None:
            raise HostUnreachable(host.name, "no answer within 10 s")
        return fake.session()

    def redial(self, host: Host) -> Dial:
        """A new connection works as long as the machine is there and not cut off."""
        return lambda: self._dial(host)

    def _dial(self, host: Host) -> None:
        fake = self.machines.get(host.name)
        if fake is None or fake.refuses_dials:
            raise HostUnreachable(host.name, "no answer within 10 s")

    def director(self, name: str = "lb1") -> tuple[Director, FakeDirector]:
        """A declared director and its machine, with pub0 for VIPs."""
        fake = FakeDirector(
            name,
            self.root / name,
            {"lo": ["127.0.0.1/8"], "pub0": ["10.10.0.1/24"], "int0": ["10.20.0.1/24"]},
        )
        self.machines[name] = fake
        host = factories.HostFactory.create(name=name)
        return factories.DirectorFactory.create(host=host, vip_interface="pub0"), fake


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """An empty fleet that the console's workers reach."""
    found = Fleet(tmp_path)
    monkeypatch.setattr(machines, "session", found.session)
    monkeypatch.setattr(machines, "redial", found.redial)
    monkeypatch.setattr(undoing, "patience_for", lambda _director: 0.0)
    return found


@pytest.fixture
def work() -> Callable[[Operation], Operation]:
    """Run an operation's task here and now, as a worker would, and return its fresh row."""

    def run(operation: Operation) -> Operation:
        import_string(operations.KINDS[operation.kind].task)(operation.pk)
        operation.refresh_from_db()
        return operation

    return run
