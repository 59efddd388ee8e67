"""What is said of every machine."""

from __future__ import annotations

from .words import INSTALL, SEE, Text, _

HOST: dict[str, Text] = {
    "system.linux": Text(
        "ok", _("%(name)s with kernel %(release)s on %(machine)s, host name %(hostname)s.")
    ),
    "system.other": Text(
        "missing",
        _("The machine runs %(sysname)s; Evenkeel manages Linux."),
        _("Use a machine with Linux: IPVS and KVM are parts of its kernel."),
    ),
    "virtualization.none": Text("ok", _("It is a physical machine.")),
    "virtualization.virtual": Text("ok", _("It is a virtual machine (%(kind)s).")),
    "virtualization.container": Text(
        "ok",
        _(
            "It is a container (%(kind)s): kernel, modules and clock are those of the machine"
            " around it."
        ),
    ),
    "virtualization.unknown": Text(
        "unknown",
        _("Whether it is a physical machine, a virtual one or a container could not be told."),
        SEE,
    ),
    "privileges.root": Text("ok", _("The console logs in as root.")),
    "privileges.sudo": Text(
        "ok", _("The console logs in as %(username)s, and sudo runs its commands as root.")
    ),
    "privileges.missing": Text(
        "missing",
        _("The console's commands run as %(user)s (uid %(uid)d) and not as root."),
        _("Let %(username)s use sudo without a password: %(command)s"),
    ),
    "privileges.unknown": Text(
        "unknown", _("Which user the console's commands run as could not be told."), SEE
    ),
    "clock.ok": Text(
        "ok", _("Its clock differs from the console's by %(skew)s (± %(uncertainty)s).")
    ),
    "clock.skewed": Text(
        "warning",
        _(
            "Its clock differs from the console's by %(skew)s (± %(uncertainty)s): times in its"
            " logs do not fit the console's, and certificates may not be valid yet or any more."
        ),
        _(
            "Keep the time: %(debian)s (Debian family) or %(rhel)s (RHEL family). If the machine"
            " is right, correct the console's clock."
        ),
    ),
    "clock.vague": Text(
        "unknown",
        _("The round trip took too long to compare the clocks: %(skew)s ± %(uncertainty)s."),
        _("Run the preflight again when the connection is less busy."),
    ),
    "clock.jumped": Text(
        "warning",
        _("Its clock moved by itself while it was being read."),
        _("See who sets it, and keep one of them: %(command)s"),
    ),
    "clock.unknown": Text("unknown", _("Its clock could not be read."), SEE),
    "time-sync.running": Text("ok", _("%(units)s keeps its clock right.")),
    "time-sync.none": Text(
        "warning",
        _("No service that keeps the clock right is running."),
        _("Keep the time: %(debian)s (Debian family) or %(rhel)s (RHEL family)."),
    ),
    "init.running": Text("ok", _("systemd runs the machine, all units are in order.")),
    "init.degraded": Text(
        "warning",
        _('systemd says that the machine is "%(state)s": a unit has failed or is still starting.'),
        SEE,
    ),
    "init.unknown": Text("unknown", _("systemd runs the machine and did not tell its state."), SEE),
    "init.other": Text(
        "warning",
        _("The machine is not run by systemd: Evenkeel has no way to act when it boots."),
        _("Use a distribution with systemd where something has to come back after a reboot."),
    ),
    "tools.present": Text("ok", _("The programs that every command needs are there: %(names)s.")),
    "tool.absent": Text(
        "missing", _("%(name)s is missing; the console's commands need it."), INSTALL
    ),
    "tool.off-path": Text(
        "missing",
        _("%(name)s lies at %(path)s, which is not on the PATH of the console's commands."),
        _(
            "Put its directory on the PATH of %(username)s, or on sudo's secure_path"
            " (sudoers(5)): %(command)s"
        ),
    ),
    "compression.present": Text("ok", _("gzip is there.")),
    "compression.absent": Text(
        "warning", _("gzip is missing; large files travel uncompressed."), INSTALL
    ),
    "disk.ok": Text("ok", _("%(path)s has %(free)s of %(size)s free (%(percent)d %%).")),
    "disk.low": Text(
        "warning",
        _("%(path)s has only %(free)s of %(size)s free (%(percent)d %%)."),
        _("Make room; what is large: %(command)s"),
    ),
    "disk.full": Text(
        "missing",
        _("%(path)s is full: %(free)s of %(size)s free. Nothing can be kept there."),
        _("Make room; what is large: %(command)s"),
    ),
    "disk.unknown": Text("unknown", _("How much room is left could not be told."), SEE),
    "writable.yes": Text("ok", _("%(path)s can be written.")),
    "writable.no": Text(
        "missing",
        _("%(path)s cannot be written, as on an immutable or damaged system."),
        _("See how it is mounted, and whether errors made it read-only: %(command)s"),
    ),
    "writable.unknown": Text("unknown", _("Whether %(path)s can be written is not known."), SEE),
    "confinement.none": Text("ok", _("Neither SELinux nor AppArmor is active.")),
    "confinement.apparmor": Text("ok", _("AppArmor is active.")),
    "confinement.permissive": Text("ok", _("SELinux is permissive.")),
    "confinement.enforcing": Text(
        "ok", _('SELinux is enforcing; a refusal shows in the audit log as "avc: denied".')
    ),
    "hardware.ok": Text(
        "ok",
        _("Processors: %(cpus)d (%(model)s). Memory: %(memory)s, of which %(available)s are free."),
    ),
    "hardware.unknown": Text(
        "unknown", _("The number of processors or the memory could not be told."), SEE
    ),
    "interfaces.ok": Text("ok", _("Interfaces with an address: %(names)s.")),
    "interfaces.none": Text(
        "warning",
        _("No interface besides the loopback is up with an address."),
        _("Give it one, at first by hand: %(command)s"),
    ),
    "interfaces.unreadable": Text(
        "missing",
        _("`ip -j addr` gave no answer that can be read; iproute2 is missing or older than 4.13."),
        INSTALL,
    ),
    "default-route.ok": Text("ok", _("The default route leads to %(routes)s.")),
    "default-route.none": Text(
        "warning",
        _("There is no default route: answers to clients on other networks go nowhere."),
        _("Add one, at first by hand: %(command)s"),
    ),
}
