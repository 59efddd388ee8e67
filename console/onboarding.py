"""Getting to know a machine: read its host key, then look what it has and lacks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import timezone

from console import alerts, hosts
from console.execution import Refusal, Run
from console.models import Host
from console.planning import Step
from console.planning import mark as _
from console.preflight import (
    TIMEOUT,
    Facts,
    IncompleteSample,
    ParseError,
    argv,
    check,
    parse,
    probe_script,
    suggest_roles,
    summary,
)
from console.remote.ssh import scan_host_key
from console.remote.transport import HostKey, HostKeyChanged


def scan_key(run: Run) -> dict[str, Any]:
    """The body of `host.scan_key`: read the key without logging in, and compare it.

    A first key waits for a person. The pinned key again ends an alarm; another key than
    the pinned one raises it.
    """
    host = _host_of(run)
    run.check()
    key = scan_host_key(host.endpoint(), timeout=settings.SSH_CONNECT_TIMEOUT)
    if host.host_key and key.line == host.host_key:
        _same_key(host)
    elif host.trust == Host.Trust.UNPINNED:
        Host.objects.filter(pk=host.pk, trust=Host.Trust.UNPINNED).update(
            offered_key=key.line, offered_fingerprint=key.fingerprint
        )
        hosts.note_success(host)
    else:
        _other_key(host, key)
    return {"algorithm": key.algorithm, "fingerprint": key.fingerprint}


def preflight(run: Run) -> dict[str, Any]:
    """The body of `host.preflight`: one look at the machine, and what it comes to in words."""
    host = _host_of(run)
    if host.trust != Host.Trust.PINNED:
        raise Refusal(
            "not-pinned",
            _("%(host)s: its host key has not been accepted"),
            {"host": host.name},
            remedy=_("Compare the fingerprint on the host's page, then accept the key."),
        )
    session = run.session(host)
    step = Step(_("Look what is there"), argv(), stdin=probe_script(), timeout=TIMEOUT)
    sent_at = timezone.now()
    result = run.run(session, step)
    received_at = timezone.now()
    try:
        facts = parse(result.stdout)
    except (IncompleteSample, ParseError) as error:
        raise Refusal(
            "incomplete-sample",
            _("%(host)s: the look at the machine was cut short"),
            {"host": host.name},
            said=f"{error}\n{result.stderr}",
            remedy=_(
                "Try again. If it happens again, run the shown command on the machine by hand."
            ),
        ) from error
    return _keep(host, facts, sent_at, received_at)


def _keep(host: Host, facts: Facts, sent_at: datetime, received_at: datetime) -> dict[str, Any]:
    findings = check(facts, username=host.username, sent_at=sent_at, received_at=received_at)
    roles = summary(findings)
    Host.objects.filter(pk=host.pk).update(
        preflight={
            "facts": facts.to_json(),
            "findings": [finding.to_json() for finding in findings],
            "roles": roles,
            "suggested": [str(role) for role in suggest_roles(facts)],
        },
        preflight_at=received_at,
    )
    hosts.note_success(host)
    return {"roles": roles}


def _host_of(run: Run) -> Host:
    host = (
        Host.objects.select_related("credential", "jump_host__credential")
        .filter(pk=run.operation.target_id)
        .first()
    )
    if host is None:
        raise Refusal.gone(run.operation)
    return host


def _same_key(host: Host) -> None:
    Host.objects.filter(pk=host.pk).update(
        trust=Host.Trust.PINNED, offered_key="", offered_fingerprint=""
    )
    alerts.resolve("host-key-changed", host)
    hosts.note_success(host)


def _other_key(host: Host, key: HostKey) -> None:
    hosts.note_failure(
        HostKeyChanged(host.name, "it shows another host key than the pinned one", offered=key)
    )
    Host.objects.filter(pk=host.pk).update(
        offered_key=key.line, offered_fingerprint=key.fingerprint
    )
