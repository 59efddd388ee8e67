"""Fencing on the machine: a worker that was presumed dead changes nothing any more.

A command that carries a `Fence` runs under a lock file of its scope, and only if
its number is not lower than the highest that the machine has seen for that
scope. The number lives in DIRECTORY/SCOPE and survives a reboot; it is written
and synced before the command starts. The lock is held by the very `timeout`
process that supervises the command, so it ends with the command, also when the
SSH connection is lost or the worker is killed: a newer worker starts after the
older one's last command, or gets TargetBusy.

Tools: sh(1) of POSIX; flock(1) of util-linux; timeout(1), sync(1) with a file
argument, mkdir(1) and mv(1) of GNU coreutils 8.24 or newer. Everything runs as root.
"""

from __future__ import annotations

import re

from .transport import Fence

DIRECTORY = "/var/lib/evenkeel/fence"
#: How long (seconds) a command waits for the lock of its scope.
LOCK_WAIT = 30.0
#: The exit code and the first word of the line on stderr, which together say
#: that the command did not run because of the fence.
EXIT_CODE = 119
MARK = "evenkeel-fence"

_SCOPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_VERDICT = re.compile(rf"^{MARK}: (refused|busy|broken): (.*)$", re.MULTILINE)

# $1 directory, $2 scope, $3 number, $4 seconds to wait for the lock, $5 seconds
# for the command; then the command. The inner sh closes the lock's descriptor,
# so that a daemon that the command leaves behind does not hold it.
SCRIPT = f"""\
no() {{ echo "{MARK}: $1: $2" >&2; exit {EXIT_CODE}; }}
dir=$1 file=$1/$2 lock=$1/.$2.lock new=$1/.$2.new number=$3 wait=$4 limit=$5; shift 5
mask=$(umask)
umask 077
command -v flock >/dev/null || no broken "flock is missing (package util-linux)"
mkdir -p "$dir" || no broken "cannot create $dir"
( : >>"$lock" ) || no broken "cannot write in $dir"
exec 9>>"$lock"
flock -w "$wait" 9 || no busy "another command holds it"
seen=0
if [ -e "$file" ]; then seen=; read -r seen <"$file"; fi
case $seen in ''|*[!0-9]*) no broken "$file does not hold a number";; esac
[ "$number" -ge "$seen" ] || no refused "$seen"
if [ "$number" -gt "$seen" ]; then
  {{ echo "$number" >"$new" && sync "$new" && mv "$new" "$file" && sync "$dir"; }} ||
    no broken "cannot write $file"
fi
umask "$mask"
exec timeout -k 5 "$limit" sh -c 'exec "$@" 9>&-' sh "$@"
"""


def check(fence: Fence) -> None:
    """Raise ValueError unless `fence` can be kept on a machine: the scope is a
    plain word of at most 100 letters, digits, dots, hyphens and underscores, and
    the number fits into what a POSIX shell can compare."""
    if not _SCOPE.fullmatch(fence.scope):
        raise ValueError(
            f"a fence's scope must be a plain word (letters, digits, . _ -), not {fence.scope!r}"
        )
    if not 0 <= fence.number < 2**63:
        raise ValueError(f"a fence's number must be between 0 and 2^63-1, not {fence.number}")


def guarded(
    argv: tuple[str, ...],
    fence: Fence,
    limit: str,
    *,
    directory: str = DIRECTORY,
    lock_wait: float = LOCK_WAIT,
) -> tuple[str, ...]:
    """The words that run `argv` under `fence` for at most `limit` seconds."""
    check(fence)
    return (
        *("sh", "-c", SCRIPT, MARK, directory, fence.scope, str(fence.number)),
        *(f"{lock_wait:g}", limit, *argv),
    )


def verdict(exit_code: int, stderr: str) -> tuple[str, str] | None:
    """("refused", highest number seen), ("busy", why) or ("broken", why), if the
    fence kept the command from running; None if the command ran."""
    if exit_code != EXIT_CODE:
        return None
    found = _VERDICT.search(stderr)
    return (found[1], found[2]) if found else None
