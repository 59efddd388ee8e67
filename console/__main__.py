"""`python -m console`: the whole console as one command, the engine of `make run`.

Starts the embedded Redis, brings the database up to date, starts web, worker and beat, and
stops them in reverse. It imports neither settings nor Django, so that it is there at once:
the programs below it load them, side by side.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

from console import embedded, preparation
from console.embedded import CannotStart
from console.lifeline import set_parent_death_signal, tied_to_parent
from console.supervisor import Program, Restart, Supervisor

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
#: The embedded console may run as root; its worker need not say so at every start.
ROOT_NOISE = "ignore:You're running the worker with superuser privileges"
#: WhiteNoise reads whole files, which is right for files as small as ours.
STATIC_NOISE = "ignore:StreamingHttpResponse must consume synchronous iterators"
#: Nothing stands in front of it that could be believed about a client's address.
UVICORN = ("--lifespan=off", "--no-proxy-headers", "--timeout-graceful-shutdown=2")
#: A worker that is the only one need not talk with others; the start is a second shorter.
ALONE = ("--without-gossip", "--without-mingle", "--without-heartbeat")
#: Said by every Redis about a kernel setting that matters only to servers with much data.
REDIS_NOISE = r"Memory overcommit must be enabled|oO0OoO0OoO0Oo|Configuration loaded"


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m console", description=__doc__)
    top.add_argument(
        "--bind",
        default="127.0.0.1:8000",
        metavar="HOST:PORT",
        help="where to listen (default 127.0.0.1:8000)",
    )
    top.add_argument(
        "--with",
        action="append",
        default=[],
        dest="extras",
        metavar="NAME=COMMAND",
        help="keep another command running beside the console",
    )
    top.add_argument(
        "--ready",
        action="append",
        default=[],
        metavar="NAME=REGEX",
        help="that command is ready once a line of its output matches",
    )
    top.add_argument(
        "--then",
        action="append",
        default=[],
        dest="jobs",
        metavar="NAME=COMMAND",
        help="run a command once when everything is ready",
    )
    top.add_argument(
        "--with-parent",
        action="store_true",
        help="stop when the process that started this one ends, however it ends",
    )
    return top


def prepare(state: Path) -> str:
    """Bring the database up to date if need be; what there is to say about the first login.

    Raises `CannotStart` if that fails; the reason has been printed then.
    """
    is_embedded = not os.environ.get("DATABASE_URL")
    if is_embedded and preparation.is_prepared(ROOT, state):
        return ""
    print("Bringing the database up to date.", flush=True)
    result = subprocess.run(  # noqa: S603
        (PYTHON, "manage.py", "prepare"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=tied_to_parent(signal.SIGKILL),
        check=False,
    )
    if result.returncode != 0:
        raise CannotStart("The database could not be brought up to date; see above.")
    if is_embedded:
        preparation.mark_prepared(ROOT, state)
    return result.stdout.strip()


def named(text: str) -> tuple[str, str]:
    """`NAME=VALUE` as its two halves. Raises `CannotStart`."""
    name, _, value = text.partition("=")
    if not (name and value.strip()):
        raise CannotStart(f"{text!r} is not NAME=VALUE.")
    return name, value


def redis_programs(state: Path) -> list[Program]:
    """The embedded Redis, unless REDIS_URL names a server. Sets REDIS_URL for all that follow."""
    if os.environ.get("REDIS_URL"):
        return []
    socket = embedded.redis_socket(state)
    os.environ["REDIS_URL"] = f"unix://{socket}"
    command = embedded.redis_command(state)
    return [Program("redis", command, probe=embedded.RedisProbe(socket), mute=REDIS_NOISE)]


def console_programs(state: Path, host: str, port: int, needs: tuple[str, ...]) -> list[Program]:
    """Web, worker and beat. Beat comes last: it has no part in being ready."""
    local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    uvicorn = (PYTHON, "-m", "uvicorn", "console.asgi:application", *UVICORN)
    celery = (PYTHON, "-m", "celery", "--quiet", "--app", "console.celery:app")
    return [
        Program(
            "web",
            (*uvicorn, "--host", host, "--port", str(port)),
            env={"PYTHONWARNINGS": STATIC_NOISE},
            needs=needs,
            probe=embedded.HttpProbe(local, port, "/"),
        ),
        Program(
            "worker",
            # Threads: what a task does is wait for machines. No forks, so nothing is orphaned.
            (*celery, "worker", "--pool=threads", "--concurrency=8", "--loglevel=INFO", *ALONE),
            env={"PYTHONWARNINGS": ROOT_NOISE},
            needs=needs,
            ready_line=r"celery@\S+ ready",
            grace=4,
        ),
        Program(
            "beat",
            (*celery, "beat", "--pidfile=", f"--schedule={state / 'run' / 'beat'}"),
            needs=("web", "worker"),
            grace=1,
        ),
    ]


def programs(state: Path, host: str, port: int, asked: argparse.Namespace) -> list[Program]:
    """Everything that runs, in the order in which it starts. Raises `CannotStart`."""
    result = redis_programs(state)
    result += console_programs(state, host, port, tuple(program.name for program in result))
    ready = dict(map(named, asked.ready))
    for name, command in map(named, asked.extras):
        words = tuple(shlex.split(command))
        line = ready.pop(name, None)
        result.append(Program(name, words, ready_line=line, restart=Restart.ON_FAILURE, grace=5))
    if ready:
        raise CannotStart(f"--ready names {', '.join(ready)}, and --with does not.")
    before = tuple(program.name for program in result)
    for name, command in map(named, asked.jobs):
        words = tuple(shlex.split(command))
        result.append(Program(name, words, needs=before, restart=Restart.NEVER, grace=1))
    return result


def run(asked: argparse.Namespace) -> int:
    """Run the console until it is told to stop; the exit code. Raises `CannotStart`."""
    state = embedded.state_dir(ROOT)
    os.environ.update(EVENKEEL_STATE_DIR=str(state), PYTHONUNBUFFERED="1")
    (state / "static").mkdir(exist_ok=True)  # where it is missing, WhiteNoise complains
    os.chdir(ROOT)
    host, port = embedded.parse_bind(asked.bind)
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
    with embedded.only_console(state, address):
        embedded.require_free(host, port)
        to_run = programs(state, host, port, asked)
        told = [prepare(state)]

        def tell(seconds: float) -> None:
            print(f"\nEvenkeel is ready after {seconds:.1f} s: {address}")
            for line in told.pop().splitlines():
                print(f"  {line}")
            print(f"  Its files are in {state}. Ctrl-C stops everything.\n", flush=True)

        try:
            return Supervisor(to_run, on_ready=tell).run()
        finally:
            for text in told:  # it never got ready, and nobody will be told again
                print(text, flush=True)


def main() -> int:
    asked = parser().parse_args()
    try:
        if asked.with_parent:
            set_parent_death_signal(signal.SIGTERM)
        return run(asked)
    except CannotStart as error:
        print(f"evenkeel: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
