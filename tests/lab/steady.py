"""A client that asks at a steady rate, and counts what was not answered."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from lab.rack import Rack

#: Runs on the client until it is told to end: one connection a request, each by itself, so
#: that a slow one delays no other. Writes what it counted.
_SCRIPT = r"""
import asyncio, json, signal, sys, time
addresses, rate, path = json.loads(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
sent, answered, failed, ending = 0, {}, [], False

async def ask(address):
    began = time.time()
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(*address), 10)
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        text = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        name = text.decode().rstrip().splitlines()[-2]
        answered[name] = answered.get(name, 0) + 1
    except Exception as error:
        failed.append([round(began, 2), address[0], repr(error)])

async def main():
    global sent
    tasks, began = set(), time.monotonic()
    while not ending:
        tasks.add(task := asyncio.ensure_future(ask(addresses[sent % len(addresses)])))
        task.add_done_callback(tasks.discard)
        sent += 1
        await asyncio.sleep(max(0, began + sent / rate - time.monotonic()))
    if tasks:
        await asyncio.wait(tasks, timeout=15)
    with open(path, "w") as file:
        json.dump({"sent": sent, "answered": answered, "failed": failed,
                   "seconds": time.monotonic() - began}, file)

def end(*_):
    global ending
    ending = True

signal.signal(signal.SIGTERM, end)
asyncio.run(main())
"""


@dataclass
class Steady:
    """What was counted, once the traffic has ended."""

    sent: int = 0
    seconds: float = 0.0
    answered: dict[str, int] = field(default_factory=dict)
    failed: list[Any] = field(default_factory=list)


@contextmanager
def steady_traffic(
    rack: Rack, addresses: list[tuple[str, int]], rate: float = 50
) -> Iterator[Steady]:
    """Ask these addresses in turn, `rate` times a second, while the block runs."""
    result = Steady()
    stem = f"/tmp/steady-{time.monotonic_ns()}"
    rack.run("client", ["sh", "-c", f"cat > {stem}.py"], given=_SCRIPT)
    begin = (
        f'nohup python3 {stem}.py "$1" {rate} {stem}.json > {stem}.log 2>&1 < /dev/null &'
        f" echo $! > {stem}.pid"
    )
    rack.run("client", ["sh", "-c", begin, "sh", json.dumps(addresses)])
    try:
        time.sleep(2)
        yield result
        time.sleep(2)
    finally:
        end = (
            f"kill $(cat {stem}.pid); n=0;"
            f" while [ ! -s {stem}.json ] && [ $n -lt 40 ]; do sleep 1; n=$((n + 1)); done;"
            f" cat {stem}.json || cat {stem}.log >&2; rm -f {stem}.*"
        )
        text = rack.run("client", ["sh", "-c", end], timeout=90).stdout
        for name, value in json.loads(text).items():
            setattr(result, name, value)
