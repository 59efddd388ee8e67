"""QEMU: its command line, its process, and its monitor."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab import qemu, template, topology
from lab.errors import LabError
from lab.qmp import Monitor

SHAPE = qemu.Shape("tcg", 3072, 2)


@pytest.fixture(autouse=True)
def _qemu_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qemu, "tool", lambda name: f"/usr/bin/{name}")


def _command(instance: int = 0, *, frozen: bool = True) -> list[str]:
    return qemu.command(
        SHAPE,
        instance,
        Path("/cache/image"),
        memory_file=Path("/cache/a,b/ram"),
        nodes_disk=Path("/cache/nodes.qcow2"),
        frozen=frozen,
    )


def test_nothing_gets_out_and_only_loopback_gets_in() -> None:
    network = qemu.network_argument(3).split(",")
    assert network[:3] == ["user", "id=net0", "restrict=on"]
    forwards = [word for word in network if word.startswith("hostfwd=")]
    assert len(forwards) == len(topology.MACHINES)
    assert all(word.startswith("hostfwd=tcp:127.0.0.1:223") for word in forwards)
    assert "hostfwd=tcp:127.0.0.1:22321-10.0.2.21:22" in forwards


def test_a_thawed_rack_never_writes_the_templates_memory_or_the_base() -> None:
    words = _command()
    memory = next(word for word in words if word.startswith("memory-backend-file"))
    assert memory.endswith(",share=off")
    assert "mem-path=/cache/a,,b/ram" in memory
    assert next(word for word in words if "base.raw" in word).endswith("readonly=on")
    assert words[-2:] == ["-incoming", "defer"]


def test_the_template_is_written_while_it_boots() -> None:
    words = _command(frozen=False)
    assert any(word.endswith(",share=on") for word in words)
    assert "-incoming" not in words


def test_kvm_and_emulation_use_their_own_processor() -> None:
    assert qemu.Shape("kvm", 1024, 2).accel_arguments() == ["-accel", "kvm", "-cpu", "host"]
    assert "tcg,thread=multi" in SHAPE.accel_arguments()


def test_another_machine_is_another_template(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qemu, "version", lambda: "QEMU 7.2")
    image = Path("/cache/image")
    first = template.directory(image, SHAPE)
    assert first == template.directory(image, SHAPE)
    assert first != template.directory(image, qemu.Shape("tcg", 2048, 2))
    monkeypatch.setattr(qemu, "version", lambda: "QEMU 8.0")
    assert first != template.directory(image, SHAPE)


@pytest.mark.parametrize("text", ["", "512", "3 GB", "-1"])
def test_an_impossible_memory_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("EVENKEEL_LAB_MEMORY", text)
    with pytest.raises(LabError, match="EVENKEEL_LAB_MEMORY"):
        qemu.chosen_memory()


def test_memory_is_three_gigabytes_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EVENKEEL_LAB_MEMORY", raising=False)
    assert qemu.chosen_memory() == 3072
    monkeypatch.setenv("EVENKEEL_LAB_MEMORY", "4096")
    assert qemu.chosen_memory() == 4096


def _pretend_qemu(directory: Path) -> subprocess.Popen[bytes]:
    """A process that looks like a rack's QEMU: its name and its directory."""
    words = ["/usr/bin/qemu-system-x86_64", "-c", "import time; time.sleep(60)"]
    return subprocess.Popen(words, executable=sys.executable, cwd=directory)


def test_a_stale_pid_file_counts_as_down(tmp_path: Path) -> None:
    assert qemu.running_pid(tmp_path) is None
    (tmp_path / "qemu.pid").write_text("not a number")
    assert qemu.running_pid(tmp_path) is None
    (tmp_path / "qemu.pid").write_text(str(os.getpid()))
    assert qemu.running_pid(tmp_path) is None


def test_the_qemu_of_another_rack_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    (tmp_path / "theirs").mkdir()
    process = _pretend_qemu(tmp_path / "theirs")
    try:
        for name in ("ours", "theirs"):
            (tmp_path / name / "qemu.pid").write_text(str(process.pid))
        assert _eventually(lambda: qemu.running_pid(tmp_path / "theirs") == process.pid)
        assert qemu.running_pid(tmp_path / "ours") is None
    finally:
        process.kill()
        process.wait()


def test_stop_ends_the_process_and_says_whether_there_was_one(tmp_path: Path) -> None:
    process = _pretend_qemu(tmp_path)
    try:
        (tmp_path / "qemu.pid").write_text(str(process.pid))
        assert _eventually(lambda: qemu.running_pid(tmp_path) is not None)
        assert qemu.stop(tmp_path) is True
        assert process.wait(timeout=5) is not None
        assert qemu.stop(tmp_path) is False
        assert list(tmp_path.iterdir()) == []
    finally:
        process.kill()
        process.wait()


def test_a_rack_held_in_the_foreground_dies_with_its_parent() -> None:
    """Even when that one is killed with SIGKILL and can put nothing away."""
    script = (
        "import subprocess, time; from lab.qemu import die_with_parent\n"
        "p = subprocess.Popen(['sleep', '60'], preexec_fn=die_with_parent)\n"
        "print(p.pid, flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(qemu.__file__).parents[1],
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        assert _eventually(lambda: not _is_alive(child))


def _is_alive(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def _eventually(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def test_a_rack_that_dies_while_it_boots_says_what_qemu_said(tmp_path: Path) -> None:
    (tmp_path / "qemu.log").write_text("Could not open base.raw\n")
    with pytest.raises(LabError, match=r"ended while the rack booted: Could not open base\.raw"):
        qemu.wait_for_mark(tmp_path, timeout=5)


def test_a_rack_that_does_not_boot_shows_its_console(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qemu, "running_pid", lambda directory: 1)
    (tmp_path / "console.log").write_text("Kernel panic - not syncing\n")
    with pytest.raises(LabError, match="within 0 s; its console:\nKernel panic"):
        qemu.wait_for_mark(tmp_path, timeout=0)
    (tmp_path / "console.log").write_text("RACK-READY\n")
    assert qemu.wait_for_mark(tmp_path, timeout=0) < 5


@pytest.fixture
def monitor(tmp_path: Path) -> Any:
    """A QEMU monitor that answers `query-status` and refuses everything else, in a directory
    whose path is longer than a unix socket's may be."""
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    server = socket.socket(socket.AF_UNIX)
    directory = os.open(deep, os.O_PATH)
    server.bind(f"/proc/self/fd/{directory}/qmp.sock")
    os.close(directory)
    server.listen()
    statuses = iter(["inmigrate", "inmigrate", "paused"])

    def answer() -> None:
        connection, _ = server.accept()
        with connection, connection.makefile("rw") as stream:
            stream.write('{"QMP": {}}\n')
            stream.flush()
            for line in stream:
                asked = json.loads(line)["execute"]
                stream.write('{"event": "RESUME"}\n')
                if asked == "qmp_capabilities":
                    stream.write('{"return": {}}\n')
                elif asked == "query-status":
                    stream.write(
                        json.dumps({"return": {"status": next(statuses, "paused")}}) + "\n"
                    )
                else:
                    stream.write('{"error": {"class": "GenericError", "desc": "no such thing"}}\n')
                stream.flush()

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    with Monitor(deep / "qmp.sock", timeout=5) as found:
        yield found
    thread.join(timeout=5)
    server.close()


def test_the_monitor_skips_events_and_waits_for_a_status(monitor: Monitor) -> None:
    assert monitor.execute("query-status") == {"status": "inmigrate"}
    assert monitor.wait_until("query-status", ("paused",), timeout=5) == "paused"


def test_the_monitor_gives_up_with_the_last_status(monitor: Monitor) -> None:
    with pytest.raises(LabError, match=r"still '(inmigrate|paused)' after 0 s"):
        monitor.wait_until("query-status", ("never",), timeout=0.2)


def test_a_refusal_is_told_in_qemus_words(monitor: Monitor) -> None:
    with pytest.raises(LabError, match="QEMU refused cont: no such thing"):
        monitor.execute("cont")
