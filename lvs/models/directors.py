"""Directors: hosts whose kernel holds an IPVS table."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from console.models import Host
from console.models.fields import StampedModel
from console.words import spoken
from lvs.ipvsadm.listing import Listed
from lvs.ipvsadm.types import DestinationKey, ServiceKey

if TYPE_CHECKING:
    from console.access import Actor

#: What the kernel allows as the name of an interface (IFNAMSIZ).
interface_validator = RegexValidator(
    r"\A[A-Za-z0-9_.@-]{1,15}\Z",
    _("Give the name of a network interface, 1 to 15 characters, such as eth0."),
    code="invalid_interface",
)


class Provisioning(models.TextChoices):
    """What the console is doing about a declared object."""

    ACTIVE = "active", _("Active")
    PENDING = "pending", _("Pending")
    ERROR = "error", _("Error")


#: A timed undo that fires before a proof can come would undo every change (seconds).
LEAST_CONFIRM_SECONDS = 10


def validate_prove_interval(value: int) -> None:
    """Never, or between a minute and a day."""
    if value and not 60 <= value <= 86_400:
        raise ValidationError(
            _("0 for never, or 60 to 86400 seconds."), code="invalid_prove_interval"
        )


def validate_confirm_seconds(value: int) -> None:
    """0 leaves no timed undo; anything else must leave time for a proof."""
    if 0 < value < LEAST_CONFIRM_SECONDS:
        raise ValidationError(
            _("Give at least %(least)d seconds, or 0 for no timed undo."),
            code="too_short",
            params={"least": LEAST_CONFIRM_SECONDS},
        )


class DirectorQuerySet(models.QuerySet["Director"]):
    def visible_to(self, actor: Actor) -> DirectorQuerySet:
        """Directors are the operator's own."""
        return self if actor.can("director.view") else self.none()


class Director(StampedModel):
    """One host's IPVS table, what is declared for it and how it was last seen.

    `observed_table` is the whole table as `ipvsadm -R` lines, compressed; `table_digest`
    is the digest of the kernel's own listing at that moment, by which a later look knows
    that nothing moved. `saved_lines` counts the lines that were appended to the table
    saved on the director since it was last written whole.
    """

    class Policy(models.TextChoices):
        OBSERVE = "observe", _("Observe: show what differs")
        ALERT = "alert", _("Alert: also tell a person")
        RECONCILE = "reconcile", _("Reconcile: also mend it")

    class OnFailure(models.TextChoices):
        ROLLBACK = "rollback", _("Roll back: as it was before")
        KEEP = "keep", _("Keep what took effect")

    host = models.OneToOneField(
        Host, on_delete=models.PROTECT, related_name="director", verbose_name=_("host")
    )
    vip_interface = models.CharField(
        _("interface of the VIPs"),
        max_length=15,
        validators=[interface_validator],
        help_text=_("Where clients come in. The console puts the VIPs on it and takes them away."),
    )
    probe_host = models.ForeignKey(
        Host,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="probed_directors",
        verbose_name=_("client for proofs"),
        help_text=_("A host outside from which “Prove it” sends requests through the VIP."),
    )
    prove_interval = models.PositiveIntegerField(
        _("proofs by themselves"),
        default=0,
        validators=[validate_prove_interval],
        help_text=_(
            "Seconds after which each virtual service is proved anew, one after the other;"
            " 0 for never. 300 is a good start."
        ),
    )
    policy = models.CharField(
        _("policy for drift"), max_length=16, choices=Policy, default=Policy.ALERT
    )

    confirm_seconds = models.PositiveIntegerField(
        _("timed undo"),
        default=60,
        validators=[validate_confirm_seconds, MaxValueValidator(3600)],
        help_text=_(
            "Seconds after which the director undoes a change by itself, unless the console has"
            " proved it and could log in anew; 0 for none."
        ),
    )
    on_failure = models.CharField(
        _("when a change does not take effect whole"),
        max_length=16,
        choices=OnFailure,
        default=OnFailure.ROLLBACK,
    )

    #: What is declared of the kernel's own settings, {name: value}; others are left alone.
    kernel_settings = models.JSONField(_("kernel settings"), default=dict, blank=True)
    #: Connection timeouts in seconds (`ipvsadm --set`); empty leaves the kernel's.
    tcp_timeout = models.PositiveIntegerField(_("TCP timeout"), null=True, blank=True)
    tcp_fin_timeout = models.PositiveIntegerField(_("TCP timeout after FIN"), null=True, blank=True)
    udp_timeout = models.PositiveIntegerField(_("UDP timeout"), null=True, blank=True)
    is_under_attack = models.BooleanField(_("under attack"), default=False, editable=False)
    #: Addresses of the director's own from which Full NAT speaks to the real servers.
    local_addresses = models.JSONField(_("local addresses for Full NAT"), default=list, blank=True)
    local_interface = models.CharField(
        _("interface of the local addresses"),
        max_length=15,
        blank=True,
        validators=[interface_validator],
    )

    provisioning_status = models.CharField(
        max_length=16, choices=Provisioning, default=Provisioning.ACTIVE, editable=False
    )
    observed_at = models.DateTimeField(null=True, editable=False)
    observed_whole_at = models.DateTimeField(null=True, editable=False)
    observed_table = models.BinaryField(null=True, editable=False)
    #: Connections by service and real server when the table was last read whole, compressed.
    observed_counts = models.BinaryField(null=True, editable=False)
    #: Kernel, schedulers, interfaces, forwarding: see `lvs.director.types.Surroundings`.
    observed_facts = models.JSONField(default=dict, editable=False)
    #: English; `observe_error_words` say the same in the reader's language.
    observe_error = models.TextField(blank=True, editable=False)
    observe_error_words = models.JSONField(default=dict, editable=False)
    #: Services and real servers that were seen, ours or not.
    table_size = models.PositiveIntegerField(default=0, editable=False)
    table_digest = models.CharField(max_length=64, blank=True, editable=False)
    #: SHA-256 of the table that was saved on the director for its next boot; empty while it
    #: is not known to be the table that is in place.
    saved_digest = models.CharField(max_length=64, blank=True, editable=False)
    saved_lines = models.PositiveIntegerField(default=0, editable=False)
    next_look_at = models.DateTimeField(null=True, editable=False, db_index=True)

    #: The planned changes as of the last look, bounded text; empty means agreement.
    drift = models.TextField(blank=True, editable=False)
    drift_count = models.PositiveIntegerField(default=0, editable=False)
    drift_since = models.DateTimeField(null=True, editable=False)
    drift_looks = models.PositiveIntegerField(default=0, editable=False)
    unmanaged_count = models.PositiveIntegerField(default=0, editable=False)
    reconcile_failures = models.PositiveSmallIntegerField(default=0, editable=False)

    objects = DirectorQuerySet.as_manager()

    class Meta:
        ordering = ["host__name"]

    def __str__(self) -> str:
        return self.host.name

    def get_absolute_url(self) -> str:
        return reverse("director", args=[self.pk])

    def clean(self) -> None:
        """The client that proves a VIP must be another machine than the director."""
        if self.probe_host_id is not None and self.probe_host_id == self.host_id:
            raise ValidationError(
                {
                    "probe_host": ValidationError(
                        _("A director cannot prove its own VIPs: choose another host."),
                        code="probe_is_director",
                    )
                }
            )

    @property
    def observe_error_text(self) -> str:
        """Why the last look failed, in the reader's language; "" when it did not."""
        return spoken(self.observe_error, self.observe_error_words)

    @property
    def has_drifted(self) -> bool:
        return self.drift_count > 0

    @property
    def observed_lines(self) -> list[str]:
        """The table as it was last seen, one `ipvsadm -R` line each."""
        return unpack(self.observed_table).splitlines()

    def set_observed_lines(self, lines: list[str]) -> None:
        """Keep a table as it was seen."""
        self.observed_table = pack("\n".join(lines))

    @property
    def counts(self) -> dict[str, dict[str, list[int]]]:
        """{service key: {real server: [active, inactive]}} as last read whole."""
        return json.loads(unpack(self.observed_counts) or "{}")

    def counts_of(self, key: ServiceKey) -> dict[str, list[int]]:
        """The part of `counts` under one service, without reading all the others."""
        text, name = unpack(self.observed_counts), f"{json.dumps(str(key))}: "
        start = text.find(name)
        if start < 0:
            return {}
        found: dict[str, list[int]] = json.JSONDecoder().raw_decode(text, start + len(name))[0]
        return found

    def set_observed_counts(
        self, rows: Mapping[ServiceKey, Mapping[DestinationKey, Listed]]
    ) -> None:
        """Keep the connection counts of a whole reading."""
        self.observed_counts = pack(
            json.dumps(
                {
                    str(key): {
                        str(server): list(row.connections) for server, row in servers.items()
                    }
                    for key, servers in rows.items()
                }
            )
        )


def pack(text: str) -> bytes:
    """Text as it is kept: compressed for speed rather than size."""
    return zlib.compress(text.encode(), 1)


def unpack(data: bytes | memoryview | None) -> str:
    """What `pack` kept; "" for nothing."""
    return zlib.decompress(bytes(data)).decode() if data else ""
