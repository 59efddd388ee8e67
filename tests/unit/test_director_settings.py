"""The rules of the kernel's settings, and the catalogue."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs.director import boot, planner
from lvs.director.settings import (
    Timeouts,
    agree,
    normalise,
    problem_of,
    timeouts_line,
    timeouts_under_attack,
    under_attack,
)
from lvs.director.settings_table import GROUPS, SETTINGS
from lvs.director.types import Own, Surroundings, Wanted
from tests.fakes.sysctl_tool import DEFAULTS


def test_every_setting_of_the_kernel_has_its_sentence_and_the_kernels_own_default() -> None:
    assert SETTINGS.keys() == DEFAULTS.keys()
    for name, setting in SETTINGS.items():
        assert setting.group in GROUPS
        assert setting.title and setting.meaning.endswith("."), name
        assert bool(setting.recommended) == bool(setting.gain), name
        if name != "sync_qlen_max":
            assert setting.default == " ".join(DEFAULTS[name].split()), name
        for value in (setting.default, setting.recommended):
            assert not value or problem_of(name, value) is None, name


@pytest.mark.parametrize("name", ["drop_entry", "drop_packet", "secure_tcp"])
def test_automatic_reads_as_1_or_as_2(name: str) -> None:
    assert agree(name, "1", "2") and agree(name, "2", "1") and agree(name, "3", "3")
    assert not agree(name, "1", "3") and not agree(name, "0", "2")
    assert not agree("sync_retries", "1", "2")


@given(st.text(max_size=12))
def test_no_text_breaks_the_check_and_what_passes_is_numbers(text: str) -> None:
    for name in ("drop_entry", "sync_threshold", "sync_ports", "unknown_one"):
        if problem_of(name, text) is None:
            assert text.strip() == text and set(text) <= set("0123456789 ,-")


def test_names_are_taken_with_and_without_their_prefix() -> None:
    assert normalise({"net.ipv4.vs.sync_threshold": "3\t50", "drop_entry": 1}) == {
        "sync_threshold": "3 50",
        "drop_entry": "1",
    }


def test_the_preset_only_makes_stricter() -> None:
    assert under_attack({"drop_entry": "3", "conntrack": "1"}) == {
        "drop_entry": "3",
        "drop_packet": "1",
        "secure_tcp": "1",
        "conntrack": "1",
    }
    assert timeouts_under_attack(Timeouts(None, 10, 1000)) == Timeouts(300, 10, 60)


def test_timeouts_that_are_not_declared_stay_as_they_are() -> None:
    assert timeouts_line(Timeouts(None, None, 60)) == "--set 0 0 60"
    assert timeouts_line(Timeouts()) == ""


@given(
    st.dictionaries(st.sampled_from(["drop_entry", "am_droprate"]), st.integers(1, 3).map(str)),
    st.tuples(*[st.none() | st.integers(1, 1000)] * 3),
    st.sets(st.sampled_from(["10.0.0.1", "fd00::1"])),
)
def test_our_files_say_what_was_put_there(
    settings: dict[str, str], timeouts: tuple[int | None, ...], vips: set[str]
) -> None:
    wanted = Wanted("pub0", frozenset(vips), settings=settings, timeouts=Timeouts(*timeouts),
                    needs_ipv4_forwarding=True)  # fmt: skip
    texts = {file.path: file.content for file in boot.own_files(wanted, Surroundings())}
    own = boot.read_own(texts[boot.VIPS], texts[boot.SYSCTL], texts[boot.TIMEOUTS])
    assert own == Own(dict.fromkeys(vips, "pub0"), settings, Timeouts(*timeouts))


def test_what_was_not_read_is_not_planned() -> None:
    wanted = Wanted("pub0", settings={"drop_entry": "1"}, timeouts=Timeouts(1, 2, 3))
    assert not planner.plan_before(wanted, Surroundings())
