"""From the probe's answer to Facts. PURE: no clock, no machine."""

from __future__ import annotations

from .frame import split
from .readers import kernel as kernels
from .readers import machine, virtualisation
from .readers import network as networks
from .types import Facts


def parse(text: str) -> Facts:
    """Read one sample of the probe.

    The frame is taken strictly: IncompleteSample when the sample was cut,
    ParseError when it is none. Within a section, what cannot be understood reads
    as "not known", because a strange `virsh` is a finding and no failure.
    """
    sample = split(text)
    values = sample["system"].values()
    kernel = kernels.kernel(sample, values)
    said = sample["virtualization"]
    return Facts(
        virtualization=next((line for line in said.lines if line), ""),
        kernel=kernel,
        distribution=machine.distribution(sample["distribution"]),
        identity=machine.identity(values),
        clock=machine.clock(sample),
        tools=machine.tools(sample),
        init=machine.init(sample, values),
        ipvs=kernels.ipvs(sample, kernel),
        network=networks.network(sample),
        libvirt=virtualisation.libvirt(sample),
        hardware=machine.hardware(sample["hardware"]),
        cgroup=machine.cgroup(sample["cgroups"]),
        storage=virtualisation.storage(sample),
        security=machine.security(values),
    )
