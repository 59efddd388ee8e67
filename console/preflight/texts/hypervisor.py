"""What is said of a hypervisor."""

from __future__ import annotations

from .words import INSTALL, RUN, SEE, Text, _

HYPERVISOR: dict[str, Text] = {
    "virsh.absent": Text("missing", _("virsh is not installed."), INSTALL),
    "libvirt.present": Text("ok", _("libvirt %(version)s answers.")),
    "libvirt.old": Text(
        "warning",
        _("libvirt %(version)s answers; Evenkeel is tested with 9.0 and expects 7.0 or later."),
        _("Upgrade the distribution, or libvirt in it: %(debian)s or %(rhel)s"),
    ),
    "libvirt.silent": Text(
        "missing",
        _("No driver of libvirt answers."),
        _("Start it: %(command)s. Its own words: %(error)s"),
    ),
    "libvirt.slow": Text(
        "unknown",
        _("libvirt did not answer within 5 seconds."),
        _("Run the preflight again; if it stays so, look with: %(command)s"),
    ),
    "driver-qemu.working": Text("ok", _("The driver qemu works (%(hypervisor)s).")),
    "driver-qemu.failing": Text(
        "warning",
        _("The driver qemu does not work: no virtual machines here. It said: %(error)s"),
        INSTALL,
    ),
    "driver-qemu.slow": Text("unknown", _("The driver qemu did not answer within 5 seconds."), SEE),
    "driver-lxc.working": Text("ok", _("The driver lxc works (%(hypervisor)s).")),
    "driver-lxc.failing": Text(
        "warning",
        _("The driver lxc does not work: no containers here. It said: %(error)s"),
        _("Install it: %(debian)s (Debian family), %(rhel)s (Fedora; RHEL has no such package)."),
    ),
    "driver-lxc.slow": Text("unknown", _("The driver lxc did not answer within 5 seconds."), SEE),
    "kvm.usable": Text("ok", _("/dev/kvm can be opened: guests run at the processor's speed.")),
    "kvm.refused": Text(
        "warning",
        _("/dev/kvm is there and cannot be opened: guests run under emulation, many times slower."),
        SEE,
    ),
    "kvm.unloaded": Text(
        "warning",
        _("The processor has %(flag)s, but /dev/kvm is missing: guests run under emulation."),
        _("Load the module; if it refuses, virtualisation is off in the firmware: %(command)s"),
    ),
    "kvm.absent": Text(
        "warning",
        _(
            "There is no /dev/kvm, and the processor shows neither vmx nor svm: guests run under"
            " emulation, many times slower. Containers are not touched by that."
        ),
        _(
            "Turn virtualisation on in the firmware or, in a virtual machine, nested"
            " virtualisation on the machine around it; then look with: %(command)s"
        ),
    ),
    "nested.on": Text("ok", _("Guests may run guests of their own (nested KVM).")),
    "nested.off": Text("ok", _("Guests may not run guests of their own (nested KVM is off).")),
    "cgroup.unified": Text("ok", _("cgroup version 2 with the controllers %(names)s.")),
    "cgroup.legacy": Text(
        "ok", _("cgroup version %(version)s; limits are kept by version 1: %(names)s.")
    ),
    "cgroup.lacking": Text(
        "warning",
        _("cgroup version %(version)s lacks the controllers %(names)s: such limits do not hold."),
        _("Enable them on the kernel's command line, then reboot: %(command)s"),
    ),
    "cgroup.none": Text(
        "missing",
        _("No cgroup hierarchy is mounted: guests cannot be limited."),
        _("Boot with systemd, or mount it: %(command)s"),
    ),
    "bridges.present": Text("ok", _("Bridges: %(names)s.")),
    "bridges.none": Text(
        "missing",
        _("There is no bridge; guests have nothing to be plugged into."),
        _("Make one, here by hand, then in the distribution's network files: %(command)s"),
    ),
    "pools.active": Text("ok", _("Storage pools: %(names)s.")),
    "pools.inactive": Text("warning", _("These storage pools are not running: %(names)s."), RUN),
    "pools.none": Text(
        "missing",
        _("libvirt has no storage pool; the disks of guests have no place."),
        _("Make one of a directory: %(command)s"),
    ),
    "pools.unknown": Text("unknown", _("The storage pools could not be listed."), SEE),
    "thin-pools.none": Text("ok", _("There is no LVM thin pool.")),
    "thin-pools.ok": Text("ok", _("LVM thin pools: %(names)s.")),
    "thin-pools.full": Text(
        "warning",
        _("LVM thin pools are filling up: %(names)s. When one is full, its guests stop."),
        _("Extend it: %(command)s"),
    ),
    "qemu-img.present": Text("ok", _("qemu-img %(version)s is installed.")),
    "qemu-img.absent": Text(
        "missing", _("qemu-img is not installed; disks cannot be made from images."), INSTALL
    ),
}
