"""The form of a virtual service with its addresses and real servers as rows: one page, one save."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.http import QueryDict
from django.utils.functional import cached_property

from console.access import Actor
from console.errors import Forbidden, VerbRefused
from console.forms.base import add_errors
from lvs.forms import addresses, real_servers
from lvs.forms.addresses import ServiceAddressForm
from lvs.forms.fields import typed
from lvs.forms.real_servers import RealServerForm
from lvs.forms.rows import SPARE_ROWS, kept_rows, redrawn, rows
from lvs.forms.virtual_services import VirtualServiceForm
from lvs.models import VirtualService

T = TypeVar("T")

#: A pool with more real servers is changed one by one: a page of rows would not be read.
MAX_ROWS = 100
#: Empty rows of a new service.
_NEW_ROWS = 3

#: Buttons that draw the form again and save nothing.
_REDRAWS = ("redraw", "add-row", "add-address", "check")

_ROW_ERROR = re.compile(r"\A(real_servers|addresses)\.(\d+)\.(\w+)\Z")


class ServiceEditor:
    """The form of a service and its rows, read and judged as one.

    `rows` are the real servers, None for a pool that is too large for one page; `addresses`
    are what a service by firewall mark takes beside its VIP, None for those who choose no VIP.
    """

    PREFIX = "servers"
    ADDRESSES = "addresses"

    def __init__(
        self,
        actor: Actor,
        service: VirtualService | None = None,
        *,
        data: QueryDict | None = None,
        initial: dict[str, Any] | None = None,
    ) -> None:
        instance = {"instance": service} if service else {}
        self.asked = data.get("do", "review") if data is not None else ""
        self.is_save = data is not None and self.asked not in _REDRAWS
        if data is None or self.is_save:
            self.form = VirtualServiceForm(data, actor=actor, initial=initial, **instance)
        else:
            blank = VirtualServiceForm(actor=actor, **instance)
            self.form = VirtualServiceForm(actor=actor, initial=typed(blank, data), **instance)
        self.rows = self._servers(actor, service, data)
        self.addresses: Any = None
        if actor.can("director.view"):
            self.addresses = self._addresses(service, data)

    def _servers(self, actor: Actor, service: VirtualService | None, data: QueryDict | None) -> Any:
        present = list(service.real_servers.all()) if service else []
        if len(present) > MAX_ROWS:
            return None
        make = partial(
            rows,
            RealServerForm,
            self.PREFIX,
            most=MAX_ROWS,
            form_kwargs={"machines": real_servers.machines_for(actor, present)},
        )
        kept = [real_servers.values_of(row) for row in present]
        return self._drawn(make, data, kept, "rip", "add-row")

    def _addresses(self, service: VirtualService | None, data: QueryDict | None) -> Any:
        if data is not None and f"{self.ADDRESSES}-TOTAL_FORMS" not in data:
            return None
        make = partial(rows, ServiceAddressForm, self.ADDRESSES, most=MAX_ROWS)
        present = service.addresses.all() if service else ()
        kept = [addresses.values_of(row) for row in present]
        return self._drawn(make, data, kept, "network", "add-address")

    def _drawn(
        self,
        make: Callable[..., Any],
        data: QueryDict | None,
        kept: list[dict[str, Any]],
        is_filled: str,
        adds: str,
    ) -> Any:
        if data is None:
            return make(spare=SPARE_ROWS if kept else _NEW_ROWS, initial=kept)
        if self.is_save:
            return make(spare=SPARE_ROWS, data=data)
        return redrawn(make, data, is_filled=is_filled, one_more=self.asked == adds)

    @cached_property
    def _kept_servers(self) -> list[RealServerForm]:
        return kept_rows(self.rows) if self.rows is not None else []

    @cached_property
    def _kept_addresses(self) -> list[ServiceAddressForm]:
        return kept_rows(self.addresses) if self.addresses is not None else []

    def is_valid(self) -> bool:
        """Whether form and rows can be read; the verb judges what they mean. Addresses that
        are hidden, because nothing is matched by mark, are not read."""
        read = [self.form.is_valid()]
        read.append(self.rows is None or self.rows.is_valid())
        if self._takes_addresses:
            read.append(self.addresses.is_valid())
        return all(read)

    @property
    def _takes_addresses(self) -> bool:
        if self.addresses is None:
            return False
        return bool(self.form["matching"].value() == VirtualService.Matching.MARK)

    @property
    def values(self) -> dict[str, Any]:
        """For the verb, with `real_servers` and `addresses` where they have rows."""
        values = self.form.values
        asked = {"matching": self.form.instance.matching} | values
        if self.rows is not None:
            values["real_servers"] = [form.server(asked) for form in self._kept_servers]
        if self._takes_addresses:
            values["addresses"] = [form.values for form in self._kept_addresses]
        elif self.addresses is not None:
            values["addresses"] = []
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
            elif match[1] == "addresses":
                _add_to_row(self._kept_addresses[int(match[2])], match[3], said, "network")
            else:
                _add_to_row(self._kept_servers[int(match[2])], match[3], said, "rip")
        if others:
            add_errors(self.form, ValidationError(others))


def _add_to_row(form: Any, name: str, said: list[ValidationError], main: str) -> None:
    """Beside the field of a row; beside its main one what concerns a field that it hides."""
    if name == NON_FIELD_ERRORS:
        form.add_error(None, said)
    else:
        form.add_error(name if name in form.fields and name != "id" else main, said)
