"""What a hypervisor needs: libvirt with a driver that answers, limits, a bridge, a pool."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ..findings import Finding, Role, say
from ..types import Driver, Facts
from .wording import install, is_at_least, names, upgrade

_ME = Role.HYPERVISOR
_NEEDED_CONTROLLERS = {"cpu", "memory", "pids"}
#: A thin pool (percent) beyond which no new guest should come.
_POOL_FULL = 85.0


def check_hypervisor(facts: Facts) -> Iterator[Finding]:
    """Every finding of the role hypervisor. Without virsh nothing is said of libvirt, and
    without its driver qemu, which keeps the pools, nothing of them."""
    if facts.tool("virsh") is None:
        yield say(_ME, "virsh.absent", **install("virsh"))
    else:
        yield _libvirt(facts)
        for driver in facts.libvirt.drivers:
            yield _driver(driver)
        qemu = facts.libvirt.driver("qemu")
        if qemu and qemu.is_working is not False:
            yield _pools(facts)
    yield _kvm(facts)
    if facts.hardware.is_nested is not None:
        yield say(_ME, "nested.on" if facts.hardware.is_nested else "nested.off")
    yield _cgroup(facts)
    yield _bridges(facts)
    yield _thin_pools(facts)
    tool = facts.tool("qemu-img")
    if tool is None:
        yield say(_ME, "qemu-img.absent", **install("qemu-img"))
    else:
        yield say(_ME, "qemu-img.present", version=tool.version)


def _libvirt(facts: Facts) -> Finding:
    drivers = facts.libvirt.drivers
    working = [driver for driver in drivers if driver.is_working]
    if working:
        version = working[0].library
        if is_at_least(version, (7, 0)):
            return say(_ME, "libvirt.present", version=version)
        return say(_ME, "libvirt.old", version=version, **upgrade("virsh"))
    command = "systemctl status libvirtd virtqemud"
    if any(driver.is_working is None for driver in drivers):
        return say(_ME, "libvirt.slow", command=command)
    error = next((driver.error for driver in drivers if driver.error), "–")
    command = "systemctl enable --now libvirtd.socket || systemctl enable --now virtqemud.socket"
    return say(_ME, "libvirt.silent", command=command, error=error)


def _driver(driver: Driver) -> Finding:
    key = f"driver-{driver.name}"
    if driver.is_working:
        return say(_ME, f"{key}.working", hypervisor=driver.hypervisor or driver.name)
    if driver.is_working is None:
        command = f"virsh -c {driver.name}:///system version"
        return say(_ME, f"{key}.slow", command=command)
    return say(_ME, f"{key}.failing", error=driver.error or "–", **install(driver.name))


def _pools(facts: Facts) -> Finding:
    pools = facts.libvirt.pools
    if pools is None:
        return say(_ME, "pools.unknown", command="virsh -c qemu:///system pool-list --all")
    if not pools:
        command = (
            "virsh pool-define-as default dir --target /var/lib/libvirt/images"
            " && virsh pool-autostart default && virsh pool-start default"
        )
        return say(_ME, "pools.none", command=command)
    idle = [pool.name for pool in pools if pool.state not in ("running", "active")]
    if idle:
        quoted = [shlex.quote(name) for name in idle]
        command = "; ".join(
            f"virsh pool-start {name} && virsh pool-autostart {name}" for name in quoted
        )
        return say(_ME, "pools.inactive", names=names(idle), command=command)
    shown = [f"{pool.name} ({pool.available} / {pool.capacity})" for pool in pools]
    return say(_ME, "pools.active", names=names(shown))


def _kvm(facts: Facts) -> Finding:
    hardware = facts.hardware
    if hardware.kvm == "usable":
        return say(_ME, "kvm.usable")
    if hardware.kvm == "refused":
        return say(_ME, "kvm.refused", command="ls -l /dev/kvm; dmesg | grep -i kvm")
    if hardware.flag:
        module = "kvm_amd" if hardware.flag == "svm" else "kvm_intel"
        return say(_ME, "kvm.unloaded", flag=hardware.flag, command=f"modprobe {module}")
    return say(_ME, "kvm.absent", command="grep -c -E 'vmx|svm' /proc/cpuinfo")


def _cgroup(facts: Facts) -> Finding:
    cgroup = facts.cgroup
    if cgroup.version == "none":
        return say(_ME, "cgroup.none", command="mount -t cgroup2 none /sys/fs/cgroup")
    lacking = sorted(_NEEDED_CONTROLLERS - set(cgroup.controllers))
    if lacking:
        return say(
            _ME,
            "cgroup.lacking",
            version=cgroup.version,
            names=", ".join(lacking),
            command="cat /proc/cmdline /proc/cgroups",
        )
    shown = ", ".join(cgroup.controllers)
    if cgroup.version == "2":
        return say(_ME, "cgroup.unified", names=shown)
    return say(_ME, "cgroup.legacy", version=cgroup.version, names=shown)


def _bridges(facts: Facts) -> Finding:
    found = [
        f"{bridge.name} ({len(bridge.ports)})" if bridge.ports else bridge.name
        for bridge in facts.network.bridges
    ]
    if found:
        return say(_ME, "bridges.present", names=names(found))
    command = "ip link add name br0 type bridge && ip link set br0 up"
    return say(_ME, "bridges.none", command=command)


def _thin_pools(facts: Facts) -> Finding:
    pools = facts.storage.thin_pools
    if not pools:
        return say(_ME, "thin-pools.none")
    shown = [f"{pool.group}/{pool.name} {max(pool.data, pool.metadata):.0f} %" for pool in pools]
    full = [pool for pool in pools if max(pool.data, pool.metadata) >= _POOL_FULL]
    if not full:
        return say(_ME, "thin-pools.ok", names=names(shown))
    first = shlex.quote(f"{full[0].group}/{full[0].name}")
    command = f"lvextend -L +10G {first}; lvextend --poolmetadatasize +256M {first}"
    return say(_ME, "thin-pools.full", names=names(shown), command=command)
