"""Many threads on one connection: not one failure in thousands of commands."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable

import pytest

from console.remote.ssh import Connection, connect
from tests.remote.conftest import MakePool, MakeSshd
from tests.remote.sshd import Sshd

THREADS = 8
SIZES = (0, 1, 1000, 100_000)
Work = Callable[[random.Random], object]


def all_at_once(work: Work, times: int, threads: int = THREADS) -> None:
    """Do `work` in many threads; every failure is counted, none hides another."""
    failures: Counter[str] = Counter()

    def repeat(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(times):
            try:
                work(chance)
            except Exception as error:
                failures[f"{type(error).__name__}: {error}"] += 1

    workers = [threading.Thread(target=repeat, args=(seed,)) for seed in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failures


def one_without_input(connection: Connection, chance: random.Random) -> None:
    word = str(chance.random())
    code = chance.randrange(3)
    result = connection.run(("sh", "-c", 'echo "$0"; exit "$1"', word, str(code)))
    assert (result.stdout, result.exit_code) == (word + "\n", code)


def one_with_input(connection: Connection, chance: random.Random) -> None:
    """Also to commands that end without reading it: that is where a CLOSE of the
    server crosses data of ours."""
    text = str(chance.randrange(10)) * chance.choice(SIZES)
    argv, stdout, code = chance.choice(
        [
            (("cat",), text, 0),
            (("head", "-c", "10"), text[:10], 0),
            (("true",), "", 0),
            (("sh", "-c", "exit 7"), "", 7),
        ]
    )
    result = connection.run(argv, stdin=text.encode())
    assert (result.stdout, result.exit_code) == (stdout, code)


@pytest.mark.parametrize("work", [one_without_input, one_with_input])
def test_eight_threads_on_one_connection(
    make_sshd: MakeSshd, work: Callable[[Connection, random.Random], None]
) -> None:
    server = make_sshd()
    with connect(server.endpoint()) as connection:
        all_at_once(lambda chance: work(connection, chance), 200)
        assert connection.is_alive
    assert server.logins == 1
    assert "Disconnecting" not in server.log
    assert "nonexistent channel" not in server.log


def test_new_keys_in_the_middle_of_the_work(make_sshd: MakeSshd) -> None:
    server = make_sshd("RekeyLimit 256K", "LogLevel DEBUG1")
    with connect(server.endpoint()) as connection:
        all_at_once(lambda chance: one_with_input(connection, chance), 30)
        text = b"0123456789abcdef" * 100_000
        assert connection.run(("cat",), stdin=text).stdout.encode() == text
    assert server.log.count("set_newkeys: rekeying") > 5


def test_a_machine_that_asks_whether_we_are_alive(make_sshd: MakeSshd) -> None:
    server = make_sshd("ClientAliveInterval 1", "ClientAliveCountMax 1")
    with connect(server.endpoint()) as connection:
        assert connection.run(("sleep", "3.5")).ok
        assert connection.is_alive


@pytest.mark.parametrize("limit", [1, 2, 4])
def test_a_machine_that_allows_few_sessions(
    make_sshd: MakeSshd, make_pool: MakePool, limit: int
) -> None:
    server = make_sshd(f"MaxSessions {limit}")
    session = make_pool(max_connections=8).session(server.endpoint())
    all_at_once(lambda _chance: session.check(("true",)), 10, threads=4)
    assert "Disconnecting" not in server.log


def test_the_pool_shares_connections(server: Sshd, make_pool: MakePool) -> None:
    pool = make_pool()
    session = pool.session(server.endpoint())
    before = server.logins
    all_at_once(lambda chance: session.run(("cat",), stdin=b"x" * 1000), 40)
    assert server.logins - before <= 2


def test_a_command_needs_one_round_trip(server: Sshd) -> None:
    """The channel of the next command is open before it is asked for."""
    with connect(server.endpoint()) as connection:
        connection.run(("true",))
        opened = connection.wire.begin_channel
        asked: list[str] = []

        def count(kind: str, *fields: str | int) -> object:
            asked.append(kind)
            return opened(kind, *fields)

        connection.wire.begin_channel = count  # type: ignore[method-assign,assignment]
        spare = connection._spares[0][1]
        connection.run(("true",))
        assert asked == ["session"], "for the next one"
        assert spare.is_closed_by_peer, "it was used"
