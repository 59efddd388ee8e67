"""A whole look at a director that somebody else has set up: one script for one round trip.

After the ordinary look come the synchronisation daemons, who else writes the table, the rules
that set firewall marks, and the files from which the table is made at boot. Files and
process lines are wrapped in base64, so that nothing in them is taken for a mark. Nothing is
changed, and no text of a file is ever run: what `include` names is only expanded to paths.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from lvs.director import sample
from lvs.director.marks import Feed, feeds_of_iptables, feeds_of_nft
from lvs.director.sample import IncompleteSample, Look
from lvs.ipvsadm.errors import ParseError
from lvs.ipvsadm.parse import parse_daemons
from lvs.ipvsadm.types import SyncDaemon

CONFIGURATION = "/etc/keepalived/keepalived.conf"
#: Where distributions keep a table for the boot.
SAVED = ("/etc/sysconfig/ipvsadm", "/etc/ipvsadm.rules")
UNITS = ("keepalived.service", "ldirectord.service", "ipvsadm.service", "seesaw.service")
#: Programs that write IPVS tables, by the name of their process.
WRITERS = ("keepalived", "ldirectord", "seesaw_engine", "seesaw_ncc", "kube-proxy", "kube-router",
           "nanny", "lvsd", "pulse", "gorb", "surealived", "dpip")  # fmt: skip
_END = "surveyed"

#: Files of keepalived and bytes of one that are sent; the reader refuses what is larger.
_MAX_FILES = 500
_MAX_BYTES = 10 * 1024 * 1024 + 1

_SCRIPT = f"""
echo '@@ daemons'
ipvsadm -L --daemon
echo '@@ hostname'
uname -n
echo '@@ processes'
writers() {{
  ps -e -ww -o pid=,ppid=,comm=,args= |
    awk -v names=' {" ".join(WRITERS)} ' 'index(names, " " $3 " ")'
}}
writers | base64 -w 0
echo
echo '@@ units'
systemctl show -p Id -p ActiveState -p UnitFileState {" ".join(UNITS)} 2>/dev/null
echo '@@ initscript'
cat /etc/default/ipvsadm 2>/dev/null | base64 -w 0
echo
echo '@@ marks'
{{ iptables-save -t mangle; ip6tables-save -t mangle; }} 2>/dev/null | base64 -w 0
echo
nft -j list ruleset 2>/dev/null | base64 -w 0
echo
echo '@@ conffiles'
count=0
show() {{
  [ -f "$1" ] && [ -r "$1" ] && [ "$count" -lt {_MAX_FILES} ] || return 0
  count=$((count + 1))
  printf '%s ' "$(printf %s "$1" | base64 -w 0)"
  head -c {_MAX_BYTES} "$1" | base64 -w 0
  echo
}}
walk() {{
  show "$1"
  [ "$2" -lt 8 ] && [ -r "$1" ] || return 0
  dir=${{1%/*}}
  list=$(sed -n 's/^[[:space:]]*include[a-z]\\{{0,1\\}}[[:space:]]\\{{1,\\}}//p' "$1" |
    tr -d "\\"'")
  for pattern in $(set -f; printf '%s ' $list); do
    case $pattern in /*) ;; *) pattern=$dir/$pattern ;; esac
    for one in $pattern; do
      [ "$count" -lt {_MAX_FILES} ] || return 0
      ( exit 0 ) && walk "$one" $(($2 + 1))
    done
  done
}}
conf=$(writers | head -n 1 |
  sed -n 's/.* keepalived .* \\(-f *\\|--use-file[= ]\\)\\([^ ]*\\).*/\\2/p')
walk "${{conf:-{CONFIGURATION}}}" 0
for one in {" ".join(SAVED)}; do show "$one"; done
echo '@@ {_END}'
"""
SCRIPT = sample.WHOLE_SCRIPT + _SCRIPT.encode()


class Process(NamedTuple):
    """A program that runs there."""

    pid: int
    parent: int
    name: str
    arguments: str


@dataclass(frozen=True)
class Survey:
    """What was found.

    `files` are the texts of
    keepalived's configuration, the first one first, and of saved tables, by path. `units`
    maps a unit to its active and its enabled state. `feeds` are the firewall marks that
    rules set, `obscure_marks` those that rules set in ways that are not understood.
    """

    look: Look
    daemons: tuple[SyncDaemon, ...] = ()
    hostname: str = ""
    writers: tuple[Process, ...] = ()
    units: dict[str, tuple[str, str]] = field(default_factory=dict)
    restores_at_boot: bool = False
    feeds: tuple[Feed, ...] = ()
    obscure_marks: frozenset[int] = frozenset()
    files: dict[str, str] = field(default_factory=dict)

    @property
    def configuration(self) -> str:
        """The path of keepalived's own file; "" where it has none."""
        return next((path for path in self.files if path not in SAVED), "")

    def config_id(self) -> str:
        """The name that lines beginning with @ are compared with: -i, else the host's."""
        for process in self.writers:
            if process.name == "keepalived":
                words = process.arguments.split()
                for option, value in pairwise(words):
                    if option in ("-i", "--config-id"):
                        return value
        return self.hostname.partition(".")[0]


def read_survey(text: str, said: str = "") -> Survey:
    """Read the answer of `SCRIPT`.

    Raises IncompleteSample, ParseError and InconsistentSample as `sample.read_look` does.
    """
    parts = sample.split(text, said)
    if _END not in parts:
        raise IncompleteSample(said.strip() or "the answer stops in the middle")
    iptables, nft = (*(_decoded(line) for line in parts["marks"].splitlines()), "", "")[:2]
    known, obscure = feeds_of_iptables(iptables)
    more, dark = feeds_of_nft(_json(nft))
    files = _files(parts["conffiles"])
    return Survey(
        look=sample.read_look(text, said),
        daemons=parse_daemons(parts["daemons"]),
        hostname=parts["hostname"].strip(),
        writers=_writers(_decoded(parts["processes"].strip())),
        units=_units(parts["units"]),
        restores_at_boot='AUTO="true"' in _decoded(parts["initscript"].strip()),
        feeds=tuple(dict.fromkeys(known + more)),
        obscure_marks=obscure | dark,
        files=files,
    )


def _decoded(line: str) -> str:
    try:
        return base64.b64decode(line.strip(), validate=True).decode(errors="replace")
    except binascii.Error as error:
        raise ParseError("a part of the answer is no base64", line[:80]) from error


def _json(text: str) -> list[dict[str, object]]:
    if not text.strip():
        return []
    try:
        found = json.loads(text)["nftables"]
    except (ValueError, KeyError, TypeError):
        return []
    return [one for one in found if isinstance(one, dict)]


def _writers(text: str) -> tuple[Process, ...]:
    found = []
    for line in text.splitlines():
        words = line.split(None, 3)
        if len(words) >= 3 and words[2] in WRITERS:
            arguments = words[3] if len(words) > 3 else ""
            found.append(Process(int(words[0]), int(words[1]), words[2], arguments))
    return tuple(found)


def _units(text: str) -> dict[str, tuple[str, str]]:
    found = {}
    for block in text.split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if values.get("Id"):
            found[values["Id"]] = (values.get("ActiveState", ""), values.get("UnitFileState", ""))
    return found


def _files(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in text.splitlines():
        path, _blank, content = line.partition(" ")
        found.setdefault(_decoded(path), _decoded(content))
    return found
