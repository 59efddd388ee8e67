"""The form of a director's own side: settings, timeouts, local addresses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from console.words import localised
from lvs import configured
from lvs.configured import SettingShown
from lvs.director.settings_table import Setting
from lvs.director.types import Surroundings
from lvs.models import Director

PREFIX = "kernel_settings."
#: Settings with so few values are chosen from a list.
_FEW = 3

#: What each value of a guard means.
_MODES: Mapping[str, Any] = {
    "0": gettext_lazy("0: off"),
    "1": gettext_lazy("1: automatic"),
    "2": gettext_lazy("2: automatic, begins on"),
    "3": gettext_lazy("3: always"),
}
_SWITCH: Mapping[str, Any] = {"0": gettext_lazy("0: off"), "1": gettext_lazy("1: on")}


class SettingsForm(forms.Form):
    """One field for each setting of the director's kernel, empty where it is left alone.

    `settings` are the settings as they are shown; with `recommended`, those that have a
    recommended value have it filled in, and nothing is saved yet.
    """

    version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    tcp_timeout = forms.IntegerField(
        label=gettext_lazy("TCP, established"), required=False, min_value=1
    )
    tcp_fin_timeout = forms.IntegerField(
        label=gettext_lazy("TCP, after FIN"), required=False, min_value=1
    )
    udp_timeout = forms.IntegerField(label=gettext_lazy("UDP"), required=False, min_value=1)
    local_addresses = forms.CharField(
        label=gettext_lazy("Local addresses"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "class": "mono"}),
        help_text=gettext_lazy(
            "One on a line. Full NAT speaks from them to the real servers; without any, from"
            " the address of the interface towards them."
        ),
    )
    local_interface = forms.CharField(
        label=gettext_lazy("Interface of the local addresses"),
        required=False,
        max_length=15,
        widget=forms.TextInput(attrs={"class": "mono"}),
        help_text=gettext_lazy("Towards the real servers. The console puts them on it."),
    )

    def __init__(
        self, director: Director, data: Any = None, *, recommended: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(data, initial=_initial(director), **kwargs)
        self.settings = configured.settings_shown(director)
        self._offer_interfaces(director)
        for one in self.settings:
            field = _field(one.about)
            field.initial = one.declared
            if recommended and one.about.recommended and not one.declared:
                field.initial = one.about.recommended
            self.fields[PREFIX + one.name] = field

    def _offer_interfaces(self, director: Director) -> None:
        found = Surroundings.from_json(director.observed_facts).addresses
        if not found:
            return
        was = self.fields["local_interface"]
        choices = {"": "–"} | {
            name: f"{name} · {', '.join(held)}" if held else name
            for name, held in found.items()
            if name != "lo"
        }
        choices.setdefault(director.local_interface, director.local_interface)
        self.fields["local_interface"] = forms.ChoiceField(
            label=was.label, help_text=was.help_text, required=False, choices=list(choices.items())
        )

    def disable(self) -> SettingsForm:
        """For those who may look and not change."""
        for field in self.fields.values():
            field.disabled = True
        return self

    def groups(self) -> Iterator[tuple[str, str, list[tuple[SettingShown, forms.BoundField]]]]:
        """Code, heading, and each setting with its field."""
        for code, heading, settings in configured.by_group(self.settings):
            yield code, heading, [(one, self[PREFIX + one.name]) for one in settings]

    @property
    def values(self) -> dict[str, Any]:
        """What was filled in, for the verb."""
        found = self.cleaned_data
        names = ("tcp_timeout", "tcp_fin_timeout", "udp_timeout", "local_interface")
        return {name: found[name] for name in names} | {
            "local_addresses": found["local_addresses"].split(),
            "kernel_settings": {
                name.removeprefix(PREFIX): value
                for name, value in found.items()
                if name.startswith(PREFIX) and value
            },
        }

    @property
    def expected_version(self) -> int | None:
        version = self.cleaned_data.get("version")
        return int(version) if version is not None else None


def _initial(director: Director) -> dict[str, Any]:
    return {
        "version": director.version,
        "tcp_timeout": director.tcp_timeout,
        "tcp_fin_timeout": director.tcp_fin_timeout,
        "udp_timeout": director.udp_timeout,
        "local_addresses": "\n".join(director.local_addresses),
        "local_interface": director.local_interface,
    }


def _field(about: Setting) -> forms.Field:
    """A list of the values where there are few, else free text: the verb judges it."""
    label = localised(about.title) if about.title else about.name
    if about.group == "other" or about.is_pair or about.most > _FEW:
        widget = forms.TextInput(attrs={"class": "mono", "inputmode": "numeric"})
        return forms.CharField(label=label, required=False, max_length=100, widget=widget)
    words = _SWITCH if about.most == 1 else _MODES if about.group == "guards" else {}
    values = [str(number) for number in range(about.least, about.most + 1)]
    choices = [("", _("left alone")), *((value, words.get(value, value)) for value in values)]
    return forms.ChoiceField(label=label, required=False, choices=choices)
