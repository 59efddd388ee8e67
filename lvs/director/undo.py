"""A timed undo that is left on the director before a change, and taken away after its proof.

Below /run/evenkeel/undo-OPERATION/ stand the parts of the undo, one for each pass that was
begun, and `run`, which runs them last first. A timer of systemd starts `run` unless the
console has settled it before. Whoever makes the directory `settled` decides: `run` then
undoes, the console then throws the undo away, never both.

`run` waits for the lock under which the console's commands run, so that it never works in
the middle of a batch, and raises the fencing number, so that nothing of that operation runs
afterwards. What an unfinished operation left behind is taken over by the next one that
changes something: undoing that one undoes both. A reboot loses table and undo together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from shlex import quote

from console.planning import Effect, Line, Plan, Step
from console.planning import mark as _
from lvs.director import boot
from lvs.ipvsadm import planner

DIRECTORY = "/run/evenkeel"
#: The exit code that says: it has been undone already (EX_TEMPFAIL of sysexits.h).
UNDONE = 75
#: What `run` prints when it was the one that undid.
CLAIMED = "undone now"
#: Lines of a batch that add a second to the time of the undo: writing them and reading them
#: back takes less, also under software emulation.
_LINES_PER_SECOND = 250

#: Prints "OPERATION pending" or "OPERATION SECONDS", when it was undone, for each undo.
LIST = f"""
for d in {DIRECTORY}/undo-*; do
  [ -d "$d" ] || continue
  when=pending; [ ! -e "$d/undone" ] || read -r when < "$d/undone"
  echo "${{d##*-}} $when"
done
"""

_RUN = """\
d=%(place)s
exec 9>>%(lock)s
flock 9
mkdir "$d/settled" 2>/dev/null || exit 0
seen=0; [ ! -e %(fence)s ] || read -r seen < %(fence)s
[ %(last)d -le "$seen" ] || { echo %(last)d > %(fence)s.undo; mv %(fence)s.undo %(fence)s; }
for part in $(cd "$d" && ls -r); do
  case $part in [0-9]*) (cd "$d/$part" && sh ./undo) >> "$d/said" 2>&1 ;; esac
done
date +%%s > "$d/undone.new"
mv "$d/undone.new" "$d/undone"
echo "%(claimed)s"
"""

_TAKE_OVER = """\
for old in %(directory)s/undo-*; do
  [ "$old" != %(place)s ] || continue
  if mkdir "$old/settled" 2>/dev/null; then
    systemctl stop "evenkeel-${old##*/}.timer" 2>/dev/null || :
    for part in "$old"/[0-9]*; do [ ! -e "$part" ] || mv "$part" %(place)s/; done
  fi
  rm -rf "$old"
done
"""

#: Nobody waits for the timer to be stopped: what it would start is gone.
_SETTLE = f"""\
for d in {DIRECTORY}/undo-*; do
  [ -d "$d" ] || continue
  if mkdir "$d/settled" 2>/dev/null; then
    systemctl stop "evenkeel-${{d##*/}}.timer" </dev/null >/dev/null 2>&1 &
  elif [ "$d" = "$1" ]; then
    echo "it was undone before" >&2; exit {UNDONE}
  fi
  rm -rf "$d"
done
"""


@dataclass(frozen=True, slots=True)
class Undo:
    """The undo of one operation.

    `lock` and `fence` are the files of the fence on the machine, `last` the highest number
    that the operation can have. `seconds` is 0 where no timer is to be started.
    """

    operation: int
    seconds: int
    lock: str
    fence: str
    last: int

    @property
    def unit(self) -> str:
        return f"evenkeel-undo-{self.operation}"

    @property
    def place(self) -> str:
        return f"{DIRECTORY}/undo-{self.operation}"

    def seconds_for(self, planned: Plan) -> int:
        """The time of the timer: longer for a long batch."""
        lines = sum(len(step.lines) for step in planned)
        return self.seconds + lines // _LINES_PER_SECOND if self.seconds else 0


def arm(undo: Undo, planned: Plan, part: str) -> Step:
    """Leave the undo of `planned` as one more part, a word that sorts after those before,
    and start the timer anew. Ends with UNDONE when the undo has been run."""
    names = {"directory": DIRECTORY, "place": undo.place}
    run = _RUN % {
        "place": undo.place,
        "lock": undo.lock,
        "fence": undo.fence,
        "last": undo.last,
        "claimed": CLAIMED,
    }
    script = [
        f"mkdir -p -m 700 {DIRECTORY}\nmkdir -p {undo.place} $(dirname {undo.lock})\n",
        f"[ ! -e {undo.place}/settled ] || exit {UNDONE}\n",
        _TAKE_OVER % names,
        f"cat > {undo.place}/run <<'@@'\n{run}@@\n",
        f"rm -rf {undo.place}/new\nmkdir {undo.place}/new\ncd {undo.place}/new\n: > undo\n",
        *(_part(number, step) for number, step in reversed(list(enumerate(planned)))),
        f"cd ..\nmv new {part}\n",
    ]
    if seconds := undo.seconds_for(planned):
        script.append(_timer(undo, seconds))
    return Step(
        title=_("Leave a timed undo on the director"),
        argv=("sh", "-e", "-s"),
        stdin="".join(script).encode(),
    )


def settle(undo: Undo) -> Step:
    """Take every undo away: the change is proved. Ends with UNDONE when it has been run."""
    return Step(
        title=_("Take the timed undo away"), argv=("sh", "-c", _SETTLE, "evenkeel", undo.place)
    )


def fire(undo: Undo) -> Step:
    """Undo now. Prints CLAIMED unless the director had done so itself, and what was said."""
    script = (
        f"systemctl stop {undo.unit}.timer 2>/dev/null\n"
        f"sh {undo.place}/run; code=$?\ncat {undo.place}/said 2>/dev/null\nexit $code\n"
    )
    return Step(
        title=_("Undo the change"),
        argv=("sh", "-s"),
        stdin=script.encode(),
        is_destructive=True,
        timeout=300.0,
    )


def read_list(text: str) -> dict[int, int | None]:
    """What LIST printed: when each operation was undone, in seconds since 1970; None for
    those that are pending."""
    found: dict[int, int | None] = {}
    for line in text.splitlines():
        operation, _blank, word = line.partition(" ")
        if operation.isdecimal():
            found[int(operation)] = int(word) if word.isdecimal() else None
    return found


def cannot_undo(planned: Plan) -> list[str]:
    """The titles of the steps that the undo does not take back."""
    return [step.title for step in planned if not _is_undone(step)]


def _timer(undo: Undo, seconds: int) -> str:
    """Starts the timer; one of an earlier pass is stopped first."""
    return (
        f"systemctl stop {undo.unit}.timer 2>/dev/null || :\n"
        f"systemd-run -q --collect --on-active={seconds} --timer-property=AccuracySec=100ms"
        f" --unit={undo.unit} /bin/sh {undo.place}/run\n"
    )


def _part(number: int, step: Step) -> str:
    """Shell that appends to the file `undo` here what takes one step back."""
    make = _MAKERS.get(step.argv[:2]) or _MAKERS.get(step.argv[:1])
    if make is None or step.keep:
        return f"{{\n{step.keep}\n}} >> undo\n" if step.keep else ""
    return make(number, step)


def _is_undone(step: Step) -> bool:
    return bool(step.keep) or step.argv[:1] in _MAKERS or step.argv[:2] in _MAKERS


def _table(number: int, step: Step) -> str:
    lines = [line for one in planner.inverse(Plan((step,))) for line in one.lines]
    return _batch(f"{number}.rules", lines, "ipvsadm -R <")


def _addresses(number: int, step: Step) -> str:
    return _batch(f"{number}.ip", [_turned(line) for line in reversed(step.lines)],
                  "ip -force -batch")  # fmt: skip


def _turned(line: Line) -> Line:
    """`address add A dev I` for `address delete A dev I`, and the other way round; routes
    likewise."""
    what, verb, *rest = (word for word in line.text.split() if word != "nodad")
    if verb != "delete":
        return Line(" ".join([what, "delete", *rest]), Effect.REMOVE)
    no_dad = boot.no_dad(rest[0].partition("/")[0]) if what == "address" else ""
    return Line(" ".join([what, "add", *rest]) + no_dad, Effect.ADD)


def _batch(name: str, lines: list[Line], command: str) -> str:
    text = "".join(f"{line.text}\n" for line in lines)
    return f"cat > {name} <<'@@'\n{text}@@\necho '{command} {name}' >> undo\n"


def _sysctl(_number: int, step: Step) -> str:
    """What the settings are before they change."""
    names = [word.partition("=")[0] for word in step.argv if "=" in word]
    names += [line.text.partition(" = ")[0] for line in step.lines]
    return "".join(
        f"if v=$(sysctl -n {quote(name)} 2>/dev/null); then echo \"sysctl -qw {name}='$v'\""
        " >> undo; fi\n"
        for name in names
    )


def _settings(number: int, step: Step) -> str:
    """What the lines say that the settings were."""
    lines = [Line(line.before, Effect.CHANGE) for line in step.lines if line.before]
    return _batch(f"{number}.sysctl", lines, "sysctl -q -p")


_MAKERS: dict[tuple[str, ...], Callable[[int, Step], str]] = {
    planner.ARGV: _table,
    ("ip", "-batch"): _addresses,
    ("sysctl", "-qw"): _sysctl,
    ("sysctl", "-q"): _settings,
}


def keep_files(*paths: str) -> str:
    """For `Step.keep`: the files as they are before a step that writes them, and whether
    the unit is started at boot."""
    unit = f"{boot.IS_ENABLED} >/dev/null 2>&1 || echo '{boot.DISABLE} 2>/dev/null || :'\n"
    return unit + "".join(
        f"if [ -e {path} ]; then cp -p {path} file-{number}; echo 'cp -p file-{number} {path}';"
        f" else echo 'rm -f {path}'; fi\n"
        for number, path in enumerate(paths)
    )
