"""Who may import whom: the rules of the house, read from the source itself."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
APPS = ("console", "vps", "lvs")

#: Values in, values out: no Django, no clock of ours, no network. A package stands for all of it.
PURE = (
    "console.metrics.cells",
    "console.metrics.packing",
    "console.metrics.spans",
    "console.planning",
    "console.preflight",
    "console.remote.transport",
    "lvs.director",
    "lvs.ipvsadm",
    "lvs.keepalived",
    "lvs.probe",
    "lvs.realserver",
    "lvs.topology",
    "vps.capacity",
    "vps.virsh",
)
#: What people and programs meet.
FACES = frozenset({"api", "forms", "templatetags", "views"})
#: What talks to machines, or is only for the workers that do.
WORKERS = frozenset(
    {
        "converge",
        "execute",
        "execution",
        "machines",
        "observe",
        "poll",
        "prepared_poll",
        "preparing",
        "remote",
        "tasks",
    }
)
#: The composition root: the only kernel modules that name the apps.
COMPOSITION = ("console.asgi", "console.celery", "console.settings", "console.urls")


def module_of(path: Path) -> str:
    """The dotted name of a source file."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported_by(source: str, module: str, *, is_package: bool = False) -> Iterator[str]:
    """Every module or name that a source imports, at the top or in a function, in full."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                outer = package[: len(package) - node.level + 1]
                base = ".".join([*outer, *filter(None, [node.module])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def is_in(name: str, *packages: str) -> bool:
    """Whether a dotted name is one of the packages or inside of one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def refusals(module: str, imports: Iterator[str] | list[str]) -> list[str]:
    """The imports of a module that the house does not allow, each with the rule."""
    return [
        f"{module} imports {name}: {rule}"
        for name in imports
        for rule in _rules_against(module, name)
    ]


def _rules_against(module: str, name: str) -> Iterator[str]:
    parts, wanted = set(module.split(".")), set(name.split("."))
    is_ours = is_in(name, *APPS)
    if is_ours and FACES & parts and WORKERS & wanted:
        yield "pages and API ask verbs, never machines"
    if is_ours and "actions" in parts and (WORKERS - {"remote"}) & wanted:
        yield "verbs enqueue work by name"
    if is_in(module, *PURE) and not _is_pure(name):
        yield "this module is pure"
    if is_in(module, "console") and not is_in(module, *COMPOSITION) and is_in(name, "vps", "lvs"):
        yield "the kernel knows no app"
    if is_in(module, "vps") and is_in(name, "lvs"):
        yield "vps does not know who uses it"
    if is_in(name, "paramiko") and not is_in(module, "console.remote"):
        yield "paramiko lives in console/remote"


def _is_pure(name: str) -> bool:
    return name.split(".")[0] in sys.stdlib_module_names or is_in(name, *PURE)


def sources() -> list[Path]:
    return sorted(
        path
        for app in APPS
        for path in (ROOT / app).rglob("*.py")
        if "migrations" not in path.parts
    )


@pytest.mark.parametrize("path", sources(), ids=module_of)
def test_module_imports_only_what_it_may(path: Path) -> None:
    module = module_of(path)
    imports = imported_by(path.read_text(), module, is_package=path.name == "__init__.py")
    assert refusals(module, imports) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("lvs.views.directors", "from lvs.observe import observe_director"),
        ("lvs.views.directors", "def view():\n    from lvs import execute"),
        ("console.api.views.hosts", "from console.remote import ssh"),
        ("console.api.views.hosts", "import console.remote.pool"),
        ("console.views.hosts", "from console import tasks"),
        ("lvs.api.views", "from ..tasks import apply_director"),
        ("lvs.actions.directors", "from lvs import tasks"),
        ("console.planning", "import django"),
        ("lvs.ipvsadm.parse", "from django.utils.translation import gettext"),
        ("lvs.ipvsadm.parse", "from lvs.models import Director"),
        ("lvs.ipvsadm.parse", "from .. import models"),
        ("lvs.ipvsadm", "from ..models import Director"),
        ("console.access", "from lvs.models import Director"),
        ("console.settings_of_old", "import lvs"),
        ("vps.signals", "from lvs.models import RealServer"),
        ("lvs.execute", "import paramiko"),
        ("console.actions.hosts", "from paramiko import Transport"),
    ],
)
def test_import_across_the_house_is_found(module: str, source: str) -> None:
    is_package = module == "lvs.ipvsadm"
    assert len(refusals(module, imported_by(source, module, is_package=is_package))) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("lvs.views.directors", "from lvs.actions import directors"),
        ("lvs.tasks", "from lvs.execute import apply"),
        ("lvs.ipvsadm.parse", "from console.planning import Plan\nimport re\nfrom .types import X"),
        ("console.urls", "from lvs import urls"),
        ("console.remote.ssh", "import paramiko"),
        ("lvs.signals", "from vps.signals import removed"),
    ],
)
def test_import_along_the_house_is_left_alone(module: str, source: str) -> None:
    assert refusals(module, imported_by(source, module)) == []


def test_every_source_is_read() -> None:
    modules = {module_of(path) for path in sources()}
    assert {"console.access", "console.api.views.hosts", "lvs.ipvsadm.parse"} <= modules
