"""What should be: virtual services and their real servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from console.models import Host, Tenant
from console.models.fields import NameField, StampedModel
from lvs.ipvsadm.types import ForwardingMethod
from lvs.models.directors import Director, Provisioning

if TYPE_CHECKING:
    from console.access import Actor

#: ipvsadm(8): weights are 0 to 2147483647 (measured), thresholds unsigned.
MAX_WEIGHT = 2147483647
MAX_THRESHOLD = 2147483647
#: IP_VS_SVC: the longest persistence that the kernel takes, 31 days.
MAX_PERSISTENCE = 2678400

_port = [MinValueValidator(1), MaxValueValidator(65535)]
_port_or_all = [MinValueValidator(0), MaxValueValidator(65535)]


class Forwarding(models.TextChoices):
    """How a packet reaches the real server (ipvsadm(8), -m, -g and -i).

    Full NAT is masquerading in the kernel's table; what makes it full, the director's own
    address as the source, stands beside the table.
    """

    MASQ = "masq", _("NAT — masquerading")
    ROUTE = "route", _("DR — direct routing")
    TUNNEL = "tunnel", _("TUN — tunnelling")
    FULLNAT = "fullnat", _("Full NAT — masquerading both ways")

    @property
    def in_table(self) -> ForwardingMethod:
        """The method that the kernel's table has for it."""
        return ForwardingMethod.MASQ if self is Forwarding.FULLNAT else ForwardingMethod(self.value)

    @property
    def short(self) -> str:
        """Its name in a list."""
        return _SHORT[self.value]

    @property
    def answers_through_director(self) -> bool:
        """Whether replies of the real servers come back through the director."""
        return self in (Forwarding.MASQ, Forwarding.FULLNAT)


_SHORT = {"masq": "NAT", "route": "DR", "tunnel": "TUN", "fullnat": "Full NAT"}


class TunnelKind(models.TextChoices):
    """How a tunnelled packet is wrapped (ipvsadm(8), --tun-type)."""

    IPIP = "ipip", _("IP in IP")
    GRE = "gre", "GRE"
    GUE = "gue", _("GUE, over UDP")


class TunnelSum(models.TextChoices):
    """Checksums of the wrapping (ipvsadm(8), --tun-nocsum, --tun-csum, --tun-remcsum)."""

    NONE = "nocsum", _("none")
    FULL = "csum", _("full")
    REMOTE = "remcsum", _("remote, for GUE only")


#: Firewall marks that the console gives; others are left to whoever else marks packets.
GIVEN_MARKS = range(0x0E000001, 0x0E800000)
#: The bit that tells the green set's firewall mark from the blue set's.
GREEN_BIT = 0x00800000


class Pool(models.TextChoices):
    """The two sets of real servers that a service by firewall mark can have. Both stand in
    the kernel's table, each under a mark of its own; packets get the mark of the live one."""

    BLUE = "blue", _("Blue")
    GREEN = "green", _("Green")


def pool_mark(fwmark: int, pool: str) -> int:
    """The firewall mark of one of the two sets of a service."""
    return fwmark | GREEN_BIT if pool == Pool.GREEN else fwmark


class TunnelledModel(models.Model):
    """How packets are wrapped where the forwarding method is TUN; of no effect elsewhere."""

    tunnel_type = models.CharField(
        _("tunnel"), max_length=8, choices=TunnelKind, default=TunnelKind.IPIP
    )
    tunnel_port = models.PositiveIntegerField(
        _("tunnel port"),
        default=0,
        validators=_port_or_all,
        help_text=_("The UDP port at which the real server takes GUE packets; 0 otherwise."),
    )
    tunnel_checksum = models.CharField(
        _("tunnel checksum"), max_length=8, choices=TunnelSum, default=TunnelSum.NONE
    )

    class Meta:
        abstract = True


class VirtualServiceQuerySet(models.QuerySet["VirtualService"]):
    def visible_to(self, actor: Actor) -> VirtualServiceQuerySet:
        """Staff sees every service, members those of their tenants."""
        if actor.can("virtual_service.view"):
            return self
        return self.filter(tenant_id__in=actor.tenant_ids("virtual_service.view"))

    def declared(self) -> VirtualServiceQuerySet:
        """Services that should be there: not on their way out."""
        return self.filter(removal_requested_at=None)


class VirtualService(TunnelledModel, StampedModel):
    """Protocol, VIP and port on one director, with scheduler and persistence.

    With `matching` by firewall mark, the kernel's table has the service under `fwmark`, and
    the director marks the packets for this VIP and port, and those for the rows of
    `ServiceAddress`.

    A row that is on its way out keeps `removal_requested_at` until the director was seen
    without it. `generation` grows with every change of it or its real servers;
    `applied_generation` is the one that was last seen in place.
    """

    class Protocol(models.TextChoices):
        TCP = "tcp", "TCP"
        UDP = "udp", "UDP"
        SCTP = "sctp", "SCTP"

    class Matching(models.TextChoices):
        ADDRESS = "address", _("VIP and port")
        MARK = "mark", _("firewall mark")

    director = models.ForeignKey(
        Director,
        on_delete=models.PROTECT,
        related_name="virtual_services",
        verbose_name=_("director"),
    )
    tenant = models.ForeignKey(
        Tenant,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="virtual_services",
        verbose_name=_("tenant"),
    )
    name = NameField(_("name"))
    protocol = models.CharField(_("protocol"), max_length=8, choices=Protocol, default=Protocol.TCP)
    vip = models.GenericIPAddressField(_("VIP"))
    port = models.PositiveIntegerField(
        _("port"),
        validators=_port_or_all,
        help_text=_("0 takes every port, and needs persistence."),
    )
    matching = models.CharField(
        _("matched by"), max_length=16, choices=Matching, default=Matching.ADDRESS
    )
    #: The firewall mark of the service, given by the console; None when matched by address.
    fwmark = models.PositiveBigIntegerField(_("firewall mark"), null=True, editable=False)
    forwarding = models.CharField(
        _("forwarding method"), max_length=16, choices=Forwarding, default=Forwarding.MASQ
    )
    scheduler = models.CharField(_("scheduler"), max_length=16, default="wlc")
    scheduler_flags = models.CharField(_("scheduler flags"), max_length=64, blank=True)
    persistence_timeout = models.PositiveIntegerField(
        _("persistence"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_PERSISTENCE)],
        help_text=_("Seconds for which a client stays with its real server; empty for none."),
    )
    persistence_prefix = models.PositiveSmallIntegerField(
        _("persistence granularity"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(128)],
        help_text=_("Prefix length by which clients count as one; empty for each address."),
    )
    persistence_engine = models.CharField(
        _("persistence engine"),
        max_length=16,
        blank=True,
        help_text=_("“sip” keeps the packets of one SIP call together; UDP only."),
    )
    is_one_packet = models.BooleanField(
        _("one-packet scheduling"),
        default=False,
        help_text=_("UDP only: every datagram is scheduled on its own."),
    )
    is_vip_managed = models.BooleanField(
        _("VIP managed"),
        default=True,
        help_text=_(
            "The console puts the VIP on the director and takes it away with its last service."
        ),
    )

    #: The set of real servers that gets the packets; the other one stands by.
    live_pool = models.CharField(max_length=8, choices=Pool, default=Pool.BLUE, editable=False)
    removal_requested_at = models.DateTimeField(null=True, editable=False)
    provisioning_status = models.CharField(
        max_length=16, choices=Provisioning, default=Provisioning.PENDING, editable=False
    )
    generation = models.PositiveIntegerField(default=1, editable=False)
    applied_generation = models.PositiveIntegerField(default=0, editable=False)
    #: The last proof: who answered, counters before and after; see `lvs.proof`.
    proof = models.JSONField(default=dict, editable=False)
    proved_at = models.DateTimeField(null=True, editable=False)
    #: When the console last asked for a proof by itself.
    proof_asked_at = models.DateTimeField(null=True, editable=False)

    objects = VirtualServiceQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["director", "protocol", "vip", "port"],
                name="one_service_per_address",
                violation_error_code="duplicate_address",
                violation_error_message=_(
                    "Another virtual service on this director has this protocol, VIP and port."
                ),
            ),
            models.UniqueConstraint(
                fields=["director", "fwmark"],
                name="one_service_per_mark",
                violation_error_code="duplicate_mark",
                violation_error_message=_(
                    "Another virtual service on this director has this firewall mark."
                ),
            ),
            models.UniqueConstraint(
                fields=["director", "name"],
                name="one_service_per_name",
                violation_error_code="duplicate_name",
                violation_error_message=_(
                    "Another virtual service on this director has this name."
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("virtual-service", args=[self.pk])

    @property
    def address(self) -> str:
        """VIP and port as ipvsadm writes them: 10.0.0.1:80 or [2001:db8::1]:80."""
        return f"[{self.vip}]:{self.port}" if ":" in self.vip else f"{self.vip}:{self.port}"

    @property
    def is_marked(self) -> bool:
        """Whether its packets are told by a firewall mark."""
        return self.matching == self.Matching.MARK

    @property
    def mark_text(self) -> str:
        """The firewall mark as nft prints it; "" for a service by address."""
        return f"0x{self.fwmark:08x}" if self.fwmark is not None else ""

    @property
    def standby_pool(self) -> Pool:
        """The set of real servers that gets no packets."""
        return Pool.BLUE if self.live_pool == Pool.GREEN else Pool.GREEN

    @property
    def is_leaving(self) -> bool:
        return self.removal_requested_at is not None


class RealServerQuerySet(models.QuerySet["RealServer"]):
    def visible_to(self, actor: Actor) -> RealServerQuerySet:
        """Real servers are seen with their service."""
        if actor.can("virtual_service.view"):
            return self
        return self.filter(virtual_service__tenant_id__in=actor.tenant_ids("virtual_service.view"))


class RealServer(TunnelledModel, StampedModel):
    """One address and port behind a virtual service.

    `host` is the machine itself where the console may log in to it: then the console
    prepares it for the forwarding method. Its tunnel is its own only where `forwarding` is.
    """

    virtual_service = models.ForeignKey(
        VirtualService, on_delete=models.CASCADE, related_name="real_servers"
    )
    host = models.ForeignKey(
        Host,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="real_servers",
        verbose_name=_("machine"),
        help_text=_("Where the console may log in to prepare the real server; empty for none."),
    )
    rip = models.GenericIPAddressField(_("address"))
    port = models.PositiveIntegerField(_("port"), validators=_port_or_all)
    #: Only a service by firewall mark has green ones.
    pool = models.CharField(_("pool"), max_length=8, choices=Pool, default=Pool.BLUE)
    #: Empty means as the service says.
    forwarding = models.CharField(
        _("forwarding method"), max_length=16, choices=Forwarding, blank=True
    )
    weight = models.PositiveIntegerField(
        _("weight"),
        default=1,
        validators=[MaxValueValidator(MAX_WEIGHT)],
        help_text=_("Share of new connections; 0 sends none and lets the old ones end."),
    )
    upper_threshold = models.PositiveIntegerField(
        _("upper threshold"),
        default=0,
        validators=[MaxValueValidator(MAX_THRESHOLD)],
        help_text=_("No new connection beyond so many, active and inactive; 0 for no limit."),
    )
    lower_threshold = models.PositiveIntegerField(
        _("lower threshold"), default=0, validators=[MaxValueValidator(MAX_THRESHOLD)]
    )

    objects = RealServerQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["virtual_service", "pool", "rip", "port"],
                name="one_real_server_per_address",
                violation_error_message=_(
                    "This virtual service already has a real server with this address and port."
                ),
            )
        ]

    def __str__(self) -> str:
        return self.address

    @property
    def tenant_id(self) -> int | None:
        return self.virtual_service.tenant_id

    @property
    def address(self) -> str:
        """Address and port as ipvsadm writes them."""
        return f"[{self.rip}]:{self.port}" if ":" in self.rip else f"{self.rip}:{self.port}"

    @property
    def effective_forwarding(self) -> str:
        """Its own forwarding method, or the service's."""
        return self.forwarding or self.virtual_service.forwarding


class ServiceAddress(StampedModel):
    """One more address, or range of VIPs and ports, whose packets a service by firewall mark
    takes: a port group (80 and 443 kept together), or a whole network of VIPs."""

    virtual_service = models.ForeignKey(
        VirtualService, on_delete=models.CASCADE, related_name="addresses"
    )
    protocol = models.CharField(
        _("protocol"), max_length=8, choices=VirtualService.Protocol, default="tcp"
    )
    #: An address, or a network in CIDR notation.
    network = models.CharField(_("VIP or network"), max_length=49)
    first_port = models.PositiveIntegerField(_("first port"), validators=_port)
    last_port = models.PositiveIntegerField(_("last port"), validators=_port)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        ports = str(self.first_port)
        if self.last_port != self.first_port:
            ports += f"-{self.last_port}"
        return f"{self.get_protocol_display()} {self.network} {ports}"

    @property
    def tenant_id(self) -> int | None:
        return self.virtual_service.tenant_id
