"""The kernel's modules, and what it offers of IPVS."""

from __future__ import annotations

import re

from ..frame import Sample, Section
from ..types import Ipvs, Kernel, Module, Presence, Writer
from .words import number

#: Modules named ip_vs_* that are no schedulers: the FTP helper and persistence engines.
_NO_SCHEDULER = re.compile(r"ip_vs_(ftp|pe_.*)")
#: Options named CONFIG_IP_VS_* that are no modules.
_NO_MODULE = re.compile(r"IP_VS_(IPV6|DEBUG|NFCT|PROTO_.*|.*_TAB_.*|.*_INDEX)")
_SIZE = re.compile(r"\(size=(\d{1,12})\)", re.ASCII)
_WRITER = re.compile(r"/proc/(\d{1,9})=(\S+)", re.ASCII)


def kernel(sample: Sample, values: dict[str, str]) -> Kernel:
    listing = _Listing(sample, are_locked=values.get("modules_disabled", "") == "1")
    words = [*values.get("uname", "").split(), "", "", "", ""]
    return Kernel(
        sysname=words[0],
        hostname=words[1],
        release=words[2],
        machine=words[3],
        modules=tuple(Module(name, listing.presence(name)) for name in sorted(listing.names)),
        is_listing_complete=listing.is_complete,
    )


class _Listing:
    """What the sections about modules say together."""

    def __init__(self, sample: Sample, *, are_locked: bool) -> None:
        options = sample["kernel_options"]
        self._are_locked = are_locked
        self._loaded = frozenset(line.split()[0] for line in sample["loaded"].lines if line.split())
        self._files = _file_names(sample["module_files"])
        self._redirected = _redirected(sample["redirected"])
        # modprobe says 1 when the module or one that it needs cannot be found.
        self._has_broken_tree = sample["dry_run"].code == 1
        self._builtin = _file_names(sample["builtin_modules"]) | _configured(options)
        if sample["ipvs"].code == 0 and "ip_vs" not in self._loaded | self._builtin:
            # The table is there; a container does not see the modules of its kernel.
            self._loaded |= {"ip_vs"}
        self.names = self._loaded | self._builtin | self._files
        has_tree = sample["builtin_modules"].code != 2 and sample["module_files"].code != 2
        is_monolithic = "listed" in options.lines and "CONFIG_MODULES=y" not in options.lines
        # The module tree tells everything; a kernel without modules is told by its options.
        self.is_complete = has_tree or is_monolithic

    def presence(self, name: str) -> Presence:
        if name in self._loaded:
            return Presence.LOADED
        if name in self._builtin:
            return Presence.BUILTIN
        if self._are_locked or name in self._redirected:
            return Presence.BLOCKED
        if name == "ip_vs" and self._has_broken_tree:
            return Presence.BLOCKED
        return Presence.LOADABLE


def _file_names(section: Section) -> frozenset[str]:
    """ "ip_vs_rr" out of "kernel/net/netfilter/ipvs/ip_vs_rr.ko.xz"."""
    files = (line.rpartition("/")[2].partition(".ko") for line in section.lines)
    return frozenset(name.replace("-", "_") for name, mark, _ in files if name and mark)


def _redirected(section: Section) -> frozenset[str]:
    """What modprobe would run something else for: modprobe.d(5), "install"."""
    parts = (line.split() for line in section.lines)
    return frozenset(p[1].replace("-", "_") for p in parts if len(p) > 2 and p[0] == "install")


def _configured(section: Section) -> frozenset[str]:
    """Names of ip_vs modules that the kernel's own options build in (=y)."""
    built = (line.removeprefix("CONFIG_").removesuffix("=y") for line in section.lines
             if line.startswith("CONFIG_IP_VS") and line.endswith("=y"))  # fmt: skip
    return frozenset(name.lower() for name in built if not _NO_MODULE.fullmatch(name))


def schedulers(found: Kernel) -> tuple[str, ...] | None:
    """The schedulers that can be used, in alphabetical order; None when the kernel did not
    tell all that it has and shows none."""
    names = tuple(
        sorted(
            module.name.removeprefix("ip_vs_")
            for module in found.modules
            if module.name.startswith("ip_vs_")
            and not _NO_SCHEDULER.fullmatch(module.name)
            and module.presence.is_usable
        )
    )
    return names if names or found.is_listing_complete else None


def ipvs(sample: Sample, found: Kernel) -> Ipvs:
    table, boot = sample["ipvs"], sample["at_boot"].values()
    values = table.values()
    size = _SIZE.search(table.text)
    return Ipvs(
        is_active=table.code == 0,
        buckets=int(size[1]) if size else None,
        tab_bits=number(values.get("conn_tab_bits", "")),
        services=number(values.get("services", "")),
        schedulers=schedulers(found),
        writers=tuple(
            Writer(int(match[1]), match[2])
            for line in sample["writers"].lines
            if (match := _WRITER.fullmatch(line))
        ),
        auto=boot.get("AUTO", "").strip("\"' ").lower(),
        debian_rules=number(boot.get("debian_rules", "")),
        rhel_rules=number(boot.get("rhel_rules", "")),
        keepalived_services=number(boot.get("keepalived_services", "")),
    )
