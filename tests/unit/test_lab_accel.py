"""KVM or emulation: decided by a guest that boots, and remembered."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from lab import accel, progress, qemu
from lab.errors import LabError

IMAGE = Path("/image")


@pytest.fixture(autouse=True)
def tries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """A /dev/kvm that opens, and a guest that boots; each try is written down."""
    made: list[bool] = []

    def boots(image: Path) -> bool:
        made.append(True)
        return True

    monkeypatch.setenv("EVENKEEL_LAB_DIR", str(tmp_path))
    monkeypatch.delenv("EVENKEEL_LAB_ACCEL", raising=False)
    monkeypatch.setattr(accel, "_why_not_openable", lambda: "")
    monkeypatch.setattr(accel, "_runs_a_guest", boots)
    monkeypatch.setattr(qemu, "version", lambda: "QEMU 7.2")
    return made


def test_a_guest_that_boots_decides_for_kvm_and_is_booted_once(tries: list[bool]) -> None:
    assert accel.choose(IMAGE) == ("kvm", "a guest booted under it")
    assert accel.choose(IMAGE) == ("kvm", "a guest booted under it")
    assert len(tries) == 1


def test_a_device_that_opens_and_does_not_work_means_emulation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(accel, "_runs_a_guest", lambda image: False)
    expected = ("tcg", "/dev/kvm opens, but a guest did not boot under it")
    assert accel.choose(IMAGE) == expected
    monkeypatch.setattr(accel, "_runs_a_guest", lambda image: pytest.fail("tried again"))
    assert accel.choose(IMAGE) == expected


def test_another_qemu_or_kernel_is_tried_anew(
    monkeypatch: pytest.MonkeyPatch, tries: list[bool]
) -> None:
    accel.choose(IMAGE)
    monkeypatch.setattr(qemu, "version", lambda: "QEMU 8.2")
    accel.choose(IMAGE)
    monkeypatch.setattr("platform.release", lambda: "6.99")
    accel.choose(IMAGE)
    assert len(tries) == 3


def test_a_damaged_memory_is_tried_anew(tmp_path: Path, tries: list[bool]) -> None:
    (tmp_path / "accel.json").write_text("{")
    assert accel.choose(IMAGE)[0] == "kvm"
    assert len(tries) == 1


def test_a_device_that_does_not_open_is_said_and_not_remembered(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(accel, "_why_not_openable", lambda: "there is no /dev/kvm")
    assert accel.choose(IMAGE) == ("tcg", "there is no /dev/kvm")
    assert not (tmp_path / "accel.json").exists()


def test_the_choice_can_be_forced(monkeypatch: pytest.MonkeyPatch, tries: list[bool]) -> None:
    monkeypatch.setenv("EVENKEEL_LAB_ACCEL", "tcg")
    assert accel.choose(IMAGE) == ("tcg", "EVENKEEL_LAB_ACCEL says so")
    assert tries == []
    monkeypatch.setenv("EVENKEEL_LAB_ACCEL", "hvf")
    with pytest.raises(LabError, match="'hvf': kvm or tcg"):
        accel.choose(IMAGE)


def test_a_long_step_is_repeated_until_it_ends(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.Heartbeat("building", every=0.05) as beat:
        threading.Event().wait(0.2)
        beat.step("packing")
        threading.Event().wait(0.2)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("[lab] ") and lines[0].endswith(" s  building")
    assert any(line.endswith("building … 0 s") for line in lines)
    assert lines.count(next(line for line in lines if line.endswith("  packing"))) == 1
    assert any(line.endswith("packing … 0 s") for line in lines)
