"""A client that asks at a steady rate, and counts what was not answered."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from lab.rack import Rack

#: Runs on the client, whose Python has the smallest library, until it is told to end: one
#: connection a request, each by itself, so that a slow one delays no other.
_SCRIPT = r"""
import select, signal, socket, sys, time
*words, rate, path = sys.argv[1:]
addresses = [(word.split(",")[0], int(word.split(",")[1])) for word in words]
began, sent, ending = time.monotonic(), 0, False
due = began
open_ones, answered, failed = {}, {}, []

def end(*_):
    global ending
    ending = True

def begin():
    global sent
    address = addresses[sent % len(addresses)]
    sent += 1
    sock = socket.socket()
    sock.setblocking(False)
    open_ones[sock] = [address, time.monotonic(), b"", False]
    sock.connect_ex(address)

def close(sock, why=""):
    address, at, text, _asked = open_ones.pop(sock)
    sock.close()
    if why:
        failed.append("%.2f %s %s" % (at - began, address[0], why.replace(" ", "-")))
    else:
        name = text.decode().rstrip().splitlines()[-2]
        answered[name] = answered.get(name, 0) + 1

def step(sock):
    state = open_ones[sock]
    try:
        if not state[3]:
            error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                return close(sock, "error %d" % error)
            sock.send(b"GET / HTTP/1.0\r\n\r\n")
            state[3] = True
            return
        data = sock.recv(65536)
        state[2] += data
        if not data:
            close(sock, "" if b"\r\n\r\n" in state[2] else "cut")
    except BlockingIOError:
        pass
    except OSError as error:
        close(sock, "error %s" % error.errno)

signal.signal(signal.SIGTERM, end)
while not ending or (open_ones and time.monotonic() < last + 40):
    now = time.monotonic()
    if not ending:
        last = now
        if now >= due:
            due = max(due + 1 / float(rate), now)
            begin()
    waiting = [sock for sock, state in open_ones.items() if not state[3]]
    reading = [sock for sock, state in open_ones.items() if state[3]]
    for sock in {one for part in select.select(reading, waiting, [], 0.005)[:2] for one in part}:
        step(sock)
    for sock in [one for one, state in open_ones.items() if now - state[1] > 45]:
        close(sock, "no answer")
for sock in list(open_ones):
    close(sock, "no answer")
with open(path + ".new", "w") as file:
    file.write("sent %d\nseconds %.1f\n" % (sent, time.monotonic() - began))
    file.writelines("answered %s %d\n" % item for item in answered.items())
    file.writelines("failed %s\n" % one for one in failed)
import os
os.rename(path + ".new", path)
"""


@dataclass
class Steady:
    """What was counted, once the traffic has ended."""

    sent: int = 0
    seconds: float = 0.0
    answered: dict[str, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)


@contextmanager
def steady_traffic(
    rack: Rack, addresses: list[tuple[str, int]], rate: float = 50
) -> Iterator[Steady]:
    """Ask these addresses in turn, `rate` times a second, while the block runs."""
    result = Steady()
    stem = f"/tmp/steady-{time.monotonic_ns()}"
    rack.run("client", ["sh", "-c", f"cat > {stem}.py"], given=_SCRIPT)
    begin = (
        f'nohup python3 {stem}.py "$@" {rate} {stem}.out > {stem}.log 2>&1 < /dev/null &'
        f" echo $! > {stem}.pid"
    )
    words = [f"{host},{port}" for host, port in addresses]
    rack.run("client", ["sh", "-c", begin, "sh", *words])
    try:
        time.sleep(2)
        yield result
        time.sleep(2)
    finally:
        end = (
            f"kill $(cat {stem}.pid); n=0;"
            f" while [ ! -e {stem}.out ] && [ $n -lt 60 ]; do sleep 1; n=$((n + 1)); done;"
            f" cat {stem}.out {stem}.log; rm -f {stem}.*"
        )
        _read(result, rack.run("client", ["sh", "-c", end], timeout=90).stdout)


def _read(result: Steady, text: str) -> None:
    for line in text.splitlines():
        word, _blank, rest = line.partition(" ")
        if word == "sent":
            result.sent = int(rest)
        elif word == "seconds":
            result.seconds = float(rest)
        elif word == "answered":
            name, count = rest.split()
            result.answered[name] = int(count)
        else:
            result.failed.append(rest if word == "failed" else line)
