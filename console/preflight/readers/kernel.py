"""The kernel's modules, and what it offers of IPVS."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..frame import Sample, Section
from ..types import Ipvs, Kernel, Module, Presence, Writer
from .words import number

#: Modules named ip_vs_* that are no schedulers: the FTP helper and persistence engines.
_NO_SCHEDULER = re.compile(r"ip_vs_(ftp|pe_.*)")
#: Options named CONFIG_IP_VS_* that are no modules.
_NO_MODULE = re.compile(r"IP_VS_(IPV6|DEBUG|NFCT|PROTO_.*|.*_TAB_.*|.*_INDEX)")
_SIZE = re.compile(r"\(size=(\d{1,12})\)", re.ASCII)
_WRITER = re.compile(r"(\d{1,9}) (\S+)", re.ASCII)


def kernel(sample: Sample, values: dict[str, str]) -> Kernel:
    listing = _Listing(sample, are_locked=values.get("modules_disabled", "") == "1")
    return Kernel(
        sysname=values.get("sysname", ""),
        release=values.get("release", ""),
        machine=values.get("machine", ""),
        modules=tuple(Module(name, listing.presence(name)) for name in sorted(listing.names)),
        is_listing_complete=listing.is_complete,
    )


class _Listing:
    """What the sections `modules`, `redirected`, `dry_run` and `kernel_options` say together."""

    def __init__(self, sample: Sample, *, are_locked: bool) -> None:
        lines = sample["modules"].lines
        options = sample["kernel_options"]
        self._are_locked = are_locked
        self._loaded = _named(lines, "loaded")
        self._files = _named(lines, "file")
        self._redirected = _redirected(sample["redirected"])
        # modprobe says 1 when a module or one that it needs cannot be found.
        self._has_broken_tree = sample["dry_run"].code == 1
        self._configured = _configured(options)
        self._builtin = _named(lines, "builtin") | self._configured
        if sample["ipvs"].code == 0 and "ip_vs" not in self._loaded | self._builtin:
            # The table is there; a container does not see the modules of its kernel.
            self._loaded = self._loaded | {"ip_vs"}
        self.names = self._loaded | self._builtin | self._files
        is_monolithic = "listed" in options.lines and "CONFIG_MODULES=y" not in options.lines
        # The module tree tells everything; a kernel without modules is told by its options.
        self.is_complete = {"listed builtin", "listed files"} <= set(lines) or is_monolithic

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


def _named(lines: Iterable[str], kind: str) -> frozenset[str]:
    found = (line.partition(" ") for line in lines)
    return frozenset(name.replace("-", "_") for word, _, name in found if word == kind and name)


def _redirected(section: Section) -> frozenset[str]:
    parts = (line.split() for line in section.lines)
    return frozenset(p[1].replace("-", "_") for p in parts if len(p) > 2 and p[0] == "install")


def _configured(section: Section) -> frozenset[str]:
    """Names of ip_vs modules that the kernel's own options build in (=y)."""
    built = (
        line.removeprefix("CONFIG_").removesuffix("=y")
        for line in section.lines
        if line.startswith("CONFIG_IP_VS") and line.endswith("=y")
    )
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
    size = _SIZE.search(table.lines[0]) if table.lines else None
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
