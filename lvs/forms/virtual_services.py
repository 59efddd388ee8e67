"""The form of a virtual service with its real servers as rows: one page, one save."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.http import QueryDict
from django.utils.functional import Promise, cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from console.access import Actor, visible_to
from console.errors import Forbidden, VerbRefused
from console.forms.base import VersionedForm, add_errors
from console.models import Tenant
from lvs import planned
from lvs.forms.fields import DescribedChoiceField, DescribedFlagsField, typed
from lvs.ipvsadm.schedulers import SCHEDULERS
from lvs.models import Director, RealServer, VirtualService
from lvs.models.virtual_services import MAX_THRESHOLD, MAX_WEIGHT, Forwarding

T = TypeVar("T")

#: A pool with more real servers is changed one by one: a page of rows would not be read.
MAX_ROWS = 100
#: Empty rows at the end of the form.
SPARE_ROWS = 2
_NEW_ROWS = 3

_ROW_ERROR = re.compile(r"\Areal_servers\.(\d+)\.(\w+)\Z")

FORWARDING_WORDS: dict[str, str | Promise] = {
    Forwarding.MASQ.value: gettext_lazy(
        "The director rewrites addresses, ports may differ. The real servers’ way back to the"
        " clients must lead through the director."
    ),
    Forwarding.ROUTE.value: gettext_lazy(
        "Replies go straight back to the clients. Each real server is in a network of the"
        " director, has the service’s port, holds the VIP on its loopback and never answers ARP"
        " for it."
    ),
}
FLAG_WORDS: dict[str, str | Promise] = {
    "fallback": gettext_lazy("When the chosen real server is not available, take another one."),
    "port": gettext_lazy("Count the client’s port too: connections of one client are spread."),
}


def scheduler_choices(names: Collection[str]) -> list[tuple[str, str]]:
    """Schedulers with a sentence each; names that are not known stand for themselves."""
    known = [name for name in SCHEDULERS if name in names]
    return [
        *(
            (name, f"{name} — {_(SCHEDULERS[name].title)}. {_(SCHEDULERS[name].summary)}")
            for name in known
        ),
        *((name, name) for name in sorted(names) if name not in SCHEDULERS),
    ]


class VirtualServiceForm(VersionedForm):
    """What is declared of a service. Only the operator's staff chooses director and tenant;
    what makes the service that one is fixed once it was applied."""

    class Meta:
        model = VirtualService
        fields = (
            "director",
            "tenant",
            "name",
            "protocol",
            "vip",
            "port",
            "forwarding",
            "scheduler",
            "scheduler_flags",
            "persistence_timeout",
            "persistence_prefix",
            "is_one_packet",
            "is_vip_managed",
        )
        labels = {
            "is_vip_managed": gettext_lazy("The console manages the VIP"),
            "persistence_timeout": gettext_lazy("Persistence in seconds"),
        }
        help_texts = {
            "name": gettext_lazy("As you call it; unique on its director."),
            "vip": gettext_lazy("The address that clients ask, IPv4 or IPv6."),
            "persistence_timeout": gettext_lazy(
                "For so long a client stays with its real server; empty for none."
            ),
            "is_one_packet": gettext_lazy(
                "UDP by DR only: every datagram is scheduled on its own; useful for DNS."
            ),
            "tenant": gettext_lazy("Its members see the service, and its operators change it."),
        }

    forwarding = DescribedChoiceField(
        label=gettext_lazy("Forwarding method"),
        choices=Forwarding.choices,
        initial=Forwarding.MASQ,
        descriptions=FORWARDING_WORDS,
    )
    scheduler = forms.ChoiceField(label=gettext_lazy("Scheduler"), initial="wlc")
    scheduler_flags = DescribedFlagsField(
        label=gettext_lazy("Hashing (sh and mh only)"),
        required=False,
        choices=[("fallback", gettext_lazy("Fall back")), ("port", gettext_lazy("Hash the port"))],
        descriptions=FLAG_WORDS,
    )

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._offer_directors(actor)
        self.chosen = self._chosen_director()
        self._offer_schedulers()
        self._set_flags()
        for name in ("vip", "port", "persistence_timeout", "persistence_prefix"):
            self.fields[name].widget.attrs["class"] = "mono"
        if self.instance.applied_generation:
            self._fix_identity()

    def _offer_directors(self, actor: Actor) -> None:
        if not actor.can("director.view"):
            del self.fields["director"], self.fields["tenant"]
            return
        directors: Any = self.fields["director"]
        directors.queryset = visible_to(
            actor,
            Director.objects.select_related("host").defer("observed_table", "observed_counts"),
        ).order_by("host__name")
        only = list(directors.queryset[:2])
        if len(only) == 1 and self.instance.pk is None:
            self.initial.setdefault("director", only[0].pk)
        tenants: Any = self.fields["tenant"]
        tenants.queryset = visible_to(actor, Tenant.objects.all()).order_by("name")
        tenants.empty_label = _("none: the operator’s own")

    def _chosen_director(self) -> Director | None:
        field: Any = self.fields.get("director")
        if field is None or self.instance.applied_generation:
            return self.instance.director
        value = self.data.get("director") if self.is_bound else self.initial.get("director")
        try:
            return field.queryset.filter(pk=value).first() if value else None
        except (ValueError, OverflowError):
            return None

    def _offer_schedulers(self) -> None:
        found = planned.kernel_schedulers(self.chosen) if self.chosen else None
        self.knows_kernel = found is not None
        names = set(found or SCHEDULERS)
        if self.instance.pk is not None:
            names.add(self.instance.scheduler)
        field: Any = self.fields["scheduler"]
        field.choices = scheduler_choices(names)

    @property
    def scheduler_words(self) -> str:
        """What the chosen scheduler does."""
        scheduler = SCHEDULERS.get(str(self["scheduler"].value()))
        return _(scheduler.summary) if scheduler else ""

    def _set_flags(self) -> None:
        kept = self.initial.get("scheduler_flags")
        if isinstance(kept, str):
            self.initial["scheduler_flags"] = [
                flag.rpartition("-")[2] for flag in kept.split(",") if flag
            ]

    def _fix_identity(self) -> None:
        for name in ("director", "protocol", "vip", "port"):
            if name in self.fields:
                self.fields[name].disabled = True
                self.fields[name].help_text = ""
        self.fields["vip"].help_text = _(
            "Fixed: it is what makes the service. Declare another one to change it."
        )

    @property
    def values(self) -> dict[str, Any]:
        """For the verb: the flags as ipvsadm names them for this scheduler."""
        values = super().values
        values["scheduler_flags"] = ",".join(
            f"{values['scheduler']}-{flag}" for flag in values["scheduler_flags"]
        )
        return values


class RealServerForm(forms.Form):
    """One real server: a row of its service's form, or a form of its own."""

    id = forms.IntegerField(required=False, widget=forms.HiddenInput)
    rip = forms.GenericIPAddressField(
        label=gettext_lazy("Address"), widget=forms.TextInput(attrs={"class": "mono"})
    )
    port = forms.IntegerField(
        label=gettext_lazy("Port"),
        required=False,
        validators=[MinValueValidator(1), MaxValueValidator(65535)],
        help_text=gettext_lazy("Empty: the service’s own port. By DR no other one is possible."),
    )
    weight = forms.IntegerField(
        label=gettext_lazy("Weight"),
        initial=1,
        validators=[MinValueValidator(0), MaxValueValidator(MAX_WEIGHT)],
        help_text=gettext_lazy("Share of new connections; 0 drains: it gets none, old ones end."),
    )
    forwarding = forms.ChoiceField(
        label=gettext_lazy("Method"),
        required=False,
        choices=[("", gettext_lazy("as the service")), *Forwarding.choices],
    )
    upper_threshold = forms.IntegerField(
        label=gettext_lazy("Upper threshold"),
        initial=0,
        validators=[MinValueValidator(0), MaxValueValidator(MAX_THRESHOLD)],
        help_text=gettext_lazy(
            "No new connection beyond so many; 0: no limit. Inactive connections count too, and"
            " a closed TCP connection stays inactive for two minutes."
        ),
    )
    lower_threshold = forms.IntegerField(
        label=gettext_lazy("Lower threshold"),
        initial=0,
        validators=[MinValueValidator(0), MaxValueValidator(MAX_THRESHOLD)],
        help_text=gettext_lazy("It takes new ones again below so many; 0: three quarters."),
    )

    def server(self, port: int) -> dict[str, Any]:
        """What was filled in, for a verb; `port` is the service's."""
        values = {name: value for name, value in self.cleaned_data.items() if name != "DELETE"}
        if values["id"] is None:
            del values["id"]
        values["port"] = values["port"] or port
        return values


class _Rows(forms.BaseFormSet):
    """Rows of which an untouched one is none: nothing has to be filled in."""

    def initial_form_count(self) -> int:
        return 0 if self.is_bound else len(self.initial or ())

    def add_fields(self, form: forms.Form, index: int | None) -> None:
        super().add_fields(form, index)
        form.fields["DELETE"].label = _("Remove")


def _rows_class(spare: int) -> type[forms.BaseFormSet]:
    return forms.formset_factory(
        RealServerForm,
        formset=_Rows,
        extra=spare,
        can_delete=True,
        max_num=MAX_ROWS,
        validate_max=True,
    )


class ServiceEditor:
    """The form of a service and the rows of its real servers, read and judged as one.

    `rows` is None for a pool that is too large for one page.
    """

    PREFIX = "servers"

    def __init__(
        self,
        actor: Actor,
        service: VirtualService | None = None,
        *,
        data: QueryDict | None = None,
        initial: dict[str, Any] | None = None,
    ) -> None:
        servers = list(service.real_servers.all()) if service else []
        instance = {"instance": service} if service else {}
        self.asked = data.get("do", "review") if data is not None else ""
        self.is_save = data is not None and self.asked not in ("redraw", "add-row")
        if data is None or self.is_save:
            self.form = VirtualServiceForm(data, actor=actor, initial=initial, **instance)
        else:
            blank = VirtualServiceForm(actor=actor, **instance)
            self.form = VirtualServiceForm(actor=actor, initial=typed(blank, data), **instance)
        self.rows: Any = None
        if len(servers) <= MAX_ROWS:
            self.rows = self._rows(servers, data)

    def _rows(self, servers: Sequence[RealServer], data: QueryDict | None) -> Any:
        if data is None:
            kept = [
                {name: getattr(row, name) for name in RealServerForm.base_fields} for row in servers
            ]
            spare = SPARE_ROWS if kept else _NEW_ROWS
            return _rows_class(spare)(initial=kept, prefix=self.PREFIX)
        if self.is_save:
            return _rows_class(SPARE_ROWS)(data, prefix=self.PREFIX)
        bound = _rows_class(0)(data, prefix=self.PREFIX)
        kept = [values for form in bound.forms if (values := typed(form, data))["rip"]]
        spare = SPARE_ROWS + (self.asked == "add-row")
        return _rows_class(spare)(initial=kept, prefix=self.PREFIX)

    @cached_property
    def _kept(self) -> list[RealServerForm]:
        """The rows that say something and are not ticked to go, in the verb's order. Found
        out once: a formset with an error forgets which rows were ticked."""
        if self.rows is None:
            return []
        gone = self.rows.deleted_forms
        return [form for form in self.rows.forms if form.has_changed() and form not in gone]

    def is_valid(self) -> bool:
        """Whether form and rows can be read; the verb judges what they mean."""
        is_read = self.form.is_valid()
        return (self.rows is None or self.rows.is_valid()) and is_read

    @property
    def values(self) -> dict[str, Any]:
        """For the verb, `real_servers` included where they have rows."""
        values = self.form.values
        if self.rows is not None:
            values["real_servers"] = [form.server(values["port"]) for form in self._kept]
        return values | {"apply": self.asked == "apply"}

    def try_verb(self, verb: Callable[[], T]) -> T | None:
        """What the verb answers, or None after its words were put beside what they are about.

        A refusal keeps what was typed; Forbidden goes on.
        """
        try:
            return verb()
        except ValidationError as error:
            self._add_errors(error)
        except Forbidden:
            raise
        except VerbRefused as refusal:
            self.form.add_error(None, str(refusal))
        return None

    def _add_errors(self, error: ValidationError) -> None:
        if not hasattr(error, "error_dict"):
            self.form.add_error(None, error)
            return
        others: dict[str, list[ValidationError]] = {}
        for key, said in error.error_dict.items():
            match = _ROW_ERROR.match(key)
            if match is None:
                others[key] = said
                continue
            form, name = self._kept[int(match[1])], match[2]
            if name == NON_FIELD_ERRORS:
                form.add_error(None, said)
            else:
                form.add_error(name if name in form.fields and name != "id" else "rip", said)
        if others:
            add_errors(self.form, ValidationError(others))


class WeightForm(forms.Form):
    """A new weight for a real server whose version was read."""

    weight = forms.IntegerField(validators=[MinValueValidator(0), MaxValueValidator(MAX_WEIGHT)])
    version = forms.IntegerField(required=False)
