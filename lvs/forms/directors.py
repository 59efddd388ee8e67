"""Forms about directors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from console.access import Actor, visible_to
from console.forms.base import VersionedForm
from console.models import Host
from console.preflight import Readiness
from lvs.director.types import Surroundings
from lvs.forms.fields import DescribedChoiceField
from lvs.models import Director

#: What a director's preflight must have come to.
_READY = (Readiness.READY.value, Readiness.READY_WITH_WARNINGS.value)

#: Fields that a program's form may leave out.
_MAY_STAY = ("prove_interval", "confirm_seconds", "on_failure")

POLICY_WORDS: dict[str, str | Promise] = {
    Director.Policy.OBSERVE.value: gettext_lazy(
        "Shows here what differs. Tells nobody and changes nothing."
    ),
    Director.Policy.ALERT.value: gettext_lazy(
        "Raises an alert when two looks in a row agree. A person decides whether to mend it."
    ),
    Director.Policy.RECONCILE.value: gettext_lazy(
        "Puts back what somebody changed by hand on managed services, and raises an alert."
        " Unmanaged entries are never touched; it stops aloud when it fails again and again."
    ),
}


FAILURE_WORDS: dict[str, str | Promise] = {
    Director.OnFailure.ROLLBACK.value: gettext_lazy(
        "A refused line in the middle takes the whole change back, and the operation says which."
    ),
    Director.OnFailure.KEEP.value: gettext_lazy(
        "What took effect stays; the rest stays planned, and the services are marked as failed."
    ),
}


@dataclass(frozen=True, slots=True)
class NotOffered:
    """A host that cannot be chosen as a director, and why."""

    host: Host
    reason: str


def offered_hosts(actor: Actor) -> QuerySet[Host]:
    """Hosts that can become a director: key pinned, preflight passed, none yet."""
    return visible_to(
        actor,
        Host.objects.filter(
            trust=Host.Trust.PINNED, director=None, preflight__roles__director__in=_READY
        ),
    )


def hosts_not_offered(actor: Actor, limit: int = 10) -> list[NotOffered]:
    """Hosts that lack something, at most `limit` of them, each with what it lacks."""
    lacking = visible_to(actor, Host.objects.filter(director=None)).exclude(
        pk__in=offered_hosts(actor)
    )
    return [NotOffered(host, _lacks(host)) for host in lacking.order_by("name")[:limit]]


def _lacks(host: Host) -> str:
    if host.trust != Host.Trust.PINNED:
        return _("its host key has to be compared and accepted")
    if not host.preflight:
        return _("its preflight has not been run yet")
    return _("its preflight says what a director needs and it lacks")


class DirectorForm(VersionedForm):
    """A host whose IPVS table the console looks after.

    The interfaces to choose from are those that were seen on the host.
    """

    class Meta:
        model = Director
        fields = (
            "host", "vip_interface", "probe_host", "prove_interval", "policy", "confirm_seconds",
            "on_failure",
        )  # fmt: skip

    policy = DescribedChoiceField(
        label=gettext_lazy("Policy for drift"),
        choices=Director.Policy.choices,
        initial=Director.Policy.ALERT,
        descriptions=POLICY_WORDS,
    )

    on_failure = DescribedChoiceField(
        label=gettext_lazy("When a change does not take effect whole"),
        choices=Director.OnFailure.choices,
        initial=Director.OnFailure.ROLLBACK,
        descriptions=FAILURE_WORDS,
    )

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._not_sent = {name for name in _MAY_STAY if self.is_bound and name not in self.data}
        for name in self._not_sent:
            self.fields[name].required = False
        if self.instance.pk is not None:
            del self.fields["host"]
        else:
            self._offer_hosts(actor)
        self.chosen = self._chosen_host()
        self._offer_interfaces()
        self._offer_clients(actor)

    @property
    def values(self) -> dict[str, Any]:
        """What was filled in; what was not sent stays as it is."""
        return {name: value for name, value in super().values.items() if name not in self._not_sent}

    def _offer_hosts(self, actor: Actor) -> None:
        field: Any = self.fields["host"]
        field.queryset = offered_hosts(actor).order_by("name")
        field.help_text = gettext_lazy(
            "Hosts whose key is accepted and whose preflight says that they can be a director."
        )
        only = list(field.queryset[:2])
        if len(only) == 1:
            self.initial.setdefault("host", only[0].pk)

    def _chosen_host(self) -> Host | None:
        if self.instance.pk is not None:
            return self.instance.host
        field: Any = self.fields["host"]
        value = self.data.get("host") if self.is_bound else self.initial.get("host")
        try:
            return field.queryset.filter(pk=value).first() if value else None
        except (ValueError, OverflowError):
            return None

    def _offer_interfaces(self) -> None:
        found = self._interfaces()
        if not found:
            self.fields["vip_interface"].widget.attrs["class"] = "mono"
            return
        kept = self.instance.vip_interface
        if kept and kept not in found:
            found[kept] = _("was not seen the last time")
        self.fields["vip_interface"] = DescribedChoiceField(
            label=self.fields["vip_interface"].label,
            help_text=self.fields["vip_interface"].help_text,
            choices=[(name, name) for name in found],
            descriptions=found,
        )

    def _interfaces(self) -> dict[str, str]:
        """Interfaces of the host with their addresses, the loopback left out."""
        seen: dict[str, tuple[str, ...]] = {}
        if self.instance.pk is not None:
            seen = Surroundings.from_json(self.instance.observed_facts).addresses
        if not seen and self.chosen is not None:
            seen = _preflight_addresses(self.chosen)
        return {
            name: ", ".join(addresses) or _("no address")
            for name, addresses in seen.items()
            if name != "lo"
        }

    def _offer_clients(self, actor: Actor) -> None:
        field: Any = self.fields["probe_host"]
        hosts = visible_to(actor, Host.objects.filter(trust=Host.Trust.PINNED))
        if self.chosen is not None:
            hosts = hosts.exclude(pk=self.chosen.pk)
        field.queryset = hosts.order_by("name")
        field.empty_label = _("none: nothing is proved")


def _preflight_addresses(host: Host) -> dict[str, tuple[str, ...]]:
    """What the last preflight saw; nothing where another version of the console wrote it."""
    try:
        return {
            interface["name"]: tuple(
                f"{one['ip']}/{one['prefix']}" for one in interface["addresses"]
            )
            for interface in host.preflight["facts"]["network"]["interfaces"] or ()
        }
    except (KeyError, TypeError):
        return {}


class UnmanagedForm(forms.Form):
    """Which unmanaged entry; a name to adopt it under, or its key once more to remove it."""

    key = forms.CharField(max_length=100)
    name = forms.CharField(max_length=64, required=False)
    confirm = forms.CharField(max_length=100, required=False)
