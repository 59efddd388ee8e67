"""The pool and its circuit breaker, with connections and a clock made of air."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from console.remote import pool as pools
from console.remote.pool import Pool, PoolSettings, default_pool
from console.remote.ssh import LineLost, NoSession
from console.remote.transport import (
    AuthenticationRefused,
    Endpoint,
    HostKey,
    HostKeyChanged,
    HostUnreachable,
    OutcomeUnknown,
    RemoteError,
    Result,
    TargetBusy,
)

BOX = Endpoint("box", "192.0.2.1", 22, "root", "key", "secret", host_key="pin")
GATE = Endpoint("gate", "192.0.2.9", 22, "root", "key", "secret", host_key="pin")
UNREACHABLE = HostUnreachable("box", "no answer", said="silence", remedy="Is it on?")
CHANGED = HostKeyChanged("box", "another key", offered=HostKey("ssh-ed25519 B", "SHA256:B"))


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class FakeConnection:
    """Runs everything with success, unless `fault` is set; `hold` keeps commands
    in flight until it is set."""

    def __init__(self, jump: FakeConnection | None) -> None:
        self.jump = jump
        self.capacity = 8
        self.is_alive = True
        self.is_closed = False
        self.running = 0
        self.most_running = 0
        self.fault: RemoteError | None = None
        self.hold = threading.Event()
        self.hold.set()
        self._lock = threading.Lock()

    def run(self, argv: tuple[str, ...], **_options: Any) -> Result:
        if self.fault is not None:
            self.is_alive = isinstance(self.fault, NoSession)
            raise self.fault
        with self._lock:
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        assert self.hold.wait(10)
        with self._lock:
            self.running -= 1
        return Result(argv, 0, "", "")

    def close(self) -> None:
        self.is_alive = False
        self.is_closed = True


class Dialler:
    """Stands for `ssh.connect`: plays `script` first, then always succeeds."""

    def __init__(self) -> None:
        self.script: list[RemoteError | BaseException | None] = []
        self.dialled: list[Endpoint] = []
        self.made: list[FakeConnection] = []
        self.gate = threading.Event()
        self.gate.set()
        self.hold_new = False

    def __call__(self, endpoint: Endpoint, *, timeout: float, jump: Any) -> Any:
        self.dialled.append(endpoint)
        assert self.gate.wait(10)
        outcome = self.script.pop(0) if self.script else None
        if outcome is not None:
            raise outcome
        connection = FakeConnection(jump)
        if self.hold_new:
            connection.hold.clear()
        self.made.append(connection)
        return connection


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def dialler() -> Dialler:
    return Dialler()


MakePool = Callable[..., Pool]


@pytest.fixture
def make_pool(dialler: Dialler, clock: Clock) -> Iterator[MakePool]:
    made: list[Pool] = []

    def make(**settings: Any) -> Pool:
        made.append(Pool(PoolSettings(**settings), clock=clock, connector=dialler))
        return made[-1]

    yield make
    for pool in made:
        pool.close()


def run(pool: Pool, endpoint: Endpoint = BOX) -> Result:
    return pool.session(endpoint).run(("true",))


def in_threads(count: int, work: Callable[[], object]) -> tuple[list[threading.Thread], list[Any]]:
    outcomes: list[Any] = []

    def keep() -> None:
        try:
            outcomes.append(work())
        except RemoteError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=keep) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, outcomes


def until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


# Sharing.


def test_a_connection_is_used_again(make_pool: MakePool, dialler: Dialler) -> None:
    pool = make_pool()
    for _ in range(5):
        run(pool)
    assert dialler.dialled == [BOX]


@pytest.mark.parametrize(
    "change", [{"secret": "other"}, {"host_key": "other"}, {"port": 2222}, {"via": GATE}]
)
def test_another_endpoint_gets_another_connection(
    make_pool: MakePool, dialler: Dialler, change: dict[str, Any]
) -> None:
    pool = make_pool()
    run(pool)
    run(pool, replace(BOX, **change))
    assert dialler.dialled.count(replace(BOX, **change)) == 1
    assert dialler.dialled.count(BOX) == 1


def test_bounds_hold_under_many_threads(make_pool: MakePool, dialler: Dialler) -> None:
    pool = make_pool(max_connections=2, channels_per_connection=3)
    dialler.hold_new = True
    threads, outcomes = in_threads(20, lambda: run(pool))
    until(lambda: sum(made.running for made in dialler.made) == 6)
    time.sleep(0.05)
    assert [made.running for made in dialler.made] == [3, 3]
    for made in dialler.made:
        made.hold.set()
    for thread in threads:
        thread.join()
    assert len(dialler.made) == 2
    assert [made.most_running for made in dialler.made] == [3, 3]
    assert all(outcome.ok for outcome in outcomes)
    assert len(outcomes) == 20


def test_a_connection_that_allows_fewer_sessions_gets_fewer(
    make_pool: MakePool, dialler: Dialler
) -> None:
    pool = make_pool(channels_per_connection=4)
    run(pool)
    dialler.made[0].capacity = 1
    dialler.made[0].hold.clear()
    threads, _ = in_threads(2, lambda: run(pool))
    until(lambda: len(dialler.made) == 2)
    dialler.made[0].hold.set()
    for thread in threads:
        thread.join()
    assert dialler.made[0].most_running == 1


def test_waiting_for_a_free_connection_has_an_end(make_pool: MakePool, dialler: Dialler) -> None:
    pool = make_pool(max_connections=1, channels_per_connection=1, wait_seconds=0.2)
    dialler.hold_new = True
    threads, _ = in_threads(1, lambda: run(pool))
    until(lambda: bool(dialler.made) and dialler.made[0].running == 1)
    with pytest.raises(TargetBusy, match="every connection to it is in use"):
        run(pool)
    dialler.made[0].hold.set()
    threads[0].join()
    assert run(pool).ok


def test_threads_that_come_together_dial_once(make_pool: MakePool, dialler: Dialler) -> None:
    pool = make_pool(channels_per_connection=8)
    dialler.gate.clear()
    threads, outcomes = in_threads(8, lambda: run(pool))
    until(lambda: len(dialler.dialled) == 1)
    time.sleep(0.05)
    dialler.gate.set()
    for thread in threads:
        thread.join()
    assert len(dialler.dialled) == 1
    assert len(outcomes) == 8


def test_threads_that_wait_share_the_failure(make_pool: MakePool, dialler: Dialler) -> None:
    pool = make_pool()
    dialler.gate.clear()
    dialler.script = [UNREACHABLE]
    threads, outcomes = in_threads(6, lambda: run(pool))
    until(lambda: len(dialler.dialled) == 1)
    time.sleep(0.05)
    dialler.gate.set()
    for thread in threads:
        thread.join()
    assert len(dialler.dialled) == 1
    assert [str(outcome) for outcome in outcomes] == ["box: no answer"] * 6
    assert len({id(outcome) for outcome in outcomes}) == 6, "each has an error of its own"


def test_a_dialler_that_is_stopped_lets_the_others_go(
    make_pool: MakePool, dialler: Dialler
) -> None:
    """As when a worker's time limit strikes in the middle of the dialling."""
    pool = make_pool()
    dialler.script = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        run(pool)
    assert run(pool).ok


def test_one_more_connection_that_fails_is_no_failure(
    make_pool: MakePool, dialler: Dialler, clock: Clock
) -> None:
    """sshd may refuse one more (MaxStartups) while the others work."""
    pool = make_pool(channels_per_connection=1, failures_to_open=1, cool_down_seconds=15)
    run(pool)
    dialler.made[0].hold.clear()
    dialler.script = [UNREACHABLE]
    threads, outcomes = in_threads(3, lambda: run(pool))
    until(lambda: len(dialler.dialled) == 2)
    time.sleep(0.05)
    dialler.made[0].hold.set()
    for thread in threads:
        thread.join()
    assert all(outcome.ok for outcome in outcomes)
    assert len(dialler.dialled) == 2, "not tried again before the cool-down is over"
    assert dialler.made[0].most_running == 1
    dialler.made[0].close()
    assert run(pool).ok, "the breaker has not opened"


# Leaving.


def test_a_dead_connection_is_replaced_unseen(make_pool: MakePool, dialler: Dialler) -> None:
    pool = make_pool()
    run(pool)
    dialler.made[0].fault = LineLost("box", "lost")
    assert run(pool).ok
    assert len(dialler.made) == 2


def test_twice_is_not_unseen(make_pool: MakePool, dialler: Dialler) -> None:
    pool = make_pool()
    run(pool)
    dialler.made[0].fault = LineLost("box", "lost")
    dialler.script = [UNREACHABLE]
    with pytest.raises(HostUnreachable, match="no answer"):
        run(pool)


@pytest.mark.parametrize(
    "error", [OutcomeUnknown("box", "cut"), TargetBusy("box", "fence"), UNREACHABLE]
)
def test_nothing_else_is_tried_again(
    make_pool: MakePool, dialler: Dialler, error: RemoteError
) -> None:
    pool = make_pool()
    run(pool)
    dialler.made[0].fault = error
    with pytest.raises(type(error)):
        run(pool)
    assert len(dialler.made) == 1


def test_an_idle_connection_is_closed(make_pool: MakePool, dialler: Dialler, clock: Clock) -> None:
    pool = make_pool(idle_seconds=60)
    run(pool)
    clock.now += 59
    pool.sweep()
    assert not dialler.made[0].is_closed
    run(pool)
    clock.now += 59
    pool.sweep()
    assert not dialler.made[0].is_closed, "it was used since"
    clock.now += 1
    pool.sweep()
    assert dialler.made[0].is_closed
    assert pool._targets == {}


def test_a_busy_connection_is_not_idle(make_pool: MakePool, dialler: Dialler, clock: Clock) -> None:
    pool = make_pool(idle_seconds=60)
    dialler.hold_new = True
    threads, outcomes = in_threads(1, lambda: run(pool))
    until(lambda: bool(dialler.made) and dialler.made[0].running == 1)
    clock.now += 10_000
    pool.sweep()
    assert not dialler.made[0].is_closed
    dialler.made[0].hold.set()
    threads[0].join()
    assert outcomes[0].ok


def test_an_old_connection_takes_no_new_command(
    make_pool: MakePool, dialler: Dialler, clock: Clock
) -> None:
    pool = make_pool(max_age_seconds=100, idle_seconds=1000)
    run(pool)
    clock.now += 100
    run(pool)
    assert len(dialler.made) == 2
    assert dialler.made[0].is_closed


def test_idle_connections_are_swept_by_the_pool_itself(dialler: Dialler) -> None:
    pool = Pool(PoolSettings(idle_seconds=0.2), connector=dialler)
    try:
        run(pool)
        until(lambda: dialler.made[0].is_closed)
    finally:
        pool.close()


def test_a_closed_pool_hangs_up_and_dials_no_more(make_pool: MakePool, dialler: Dialler) -> None:
    pool = make_pool()
    run(pool)
    pool.close()
    pool.close()
    assert dialler.made[0].is_closed
    with pytest.raises(HostUnreachable, match="shutting down"):
        run(pool)


# Jump hosts.


def test_machines_behind_one_gate_share_its_connection(
    make_pool: MakePool, dialler: Dialler
) -> None:
    pool = make_pool()
    for number in range(5):
        run(pool, replace(BOX, name=f"box{number}", via=GATE))
    assert dialler.dialled.count(GATE) == 1
    assert {made.jump for made in dialler.made[1:]} == {dialler.made[0]}


def test_a_gate_stays_open_while_somebody_is_behind_it(
    make_pool: MakePool, dialler: Dialler, clock: Clock
) -> None:
    pool = make_pool(idle_seconds=60)
    run(pool, replace(BOX, via=GATE))
    gate, box = dialler.made
    clock.now += 61
    pool.sweep()
    assert box.is_closed
    assert not gate.is_closed, "it was in use until this moment"
    clock.now += 61
    pool.sweep()
    assert gate.is_closed


def test_the_failure_of_a_gate_is_not_that_of_the_machine(
    make_pool: MakePool, dialler: Dialler
) -> None:
    pool = make_pool(failures_to_open=2)
    dialler.script = [HostUnreachable("gate", "no answer")] * 2
    for _ in range(3):
        with pytest.raises(HostUnreachable, match=r"^gate: "):
            run(pool, replace(BOX, via=GATE))
    assert dialler.dialled == [GATE, GATE], "the third time it was not dialled"
    pool.reset(GATE)
    assert run(pool, replace(BOX, via=GATE)).ok


# The circuit breaker.


def fail(pool: Pool, times: int, endpoint: Endpoint = BOX) -> list[RemoteError]:
    errors = []
    for _ in range(times):
        with pytest.raises(RemoteError) as caught:
            run(pool, endpoint)
        errors.append(caught.value)
    return errors


def test_after_some_failures_a_machine_is_left_alone(
    make_pool: MakePool, dialler: Dialler, clock: Clock
) -> None:
    pool = make_pool(failures_to_open=3, cool_down_seconds=15)
    dialler.script = [UNREACHABLE] * 3
    fail(pool, 3)
    clock.now += 5
    (refusal,) = fail(pool, 1)
    assert len(dialler.dialled) == 3
    assert str(refusal) == "box: tried 3 times, next try in 10 s; last: no answer"
    assert (refusal.said, refusal.remedy) == ("silence", "Is it on?")
    assert type(refusal) is HostUnreachable


def test_a_success_in_between_forgets_the_failures(make_pool: MakePool, dialler: Dialler) -> None:
    pool = make_pool(failures_to_open=3)
    dialler.script = [UNREACHABLE, UNREACHABLE, None, UNREACHABLE, UNREACHABLE, None]
    fail(pool, 2)
    run(pool)
    dialler.made[0].close()
    fail(pool, 2)
    assert run(pool).ok


def test_after_the_cool_down_one_caller_tries(
    make_pool: MakePool, dialler: Dialler, clock: Clock
) -> None:
    pool = make_pool(failures_to_open=2, cool_down_seconds=15)
    dialler.script = [UNREACHABLE] * 3
    fail(pool, 2)
    clock.now += 15
    fail(pool, 1)
    assert len(dialler.dialled) == 3
    (refusal,) = fail(pool, 1)
    assert "tried 3 times, next try in 15 s" in refusal.message
    assert len(dialler.dialled) == 3
    clock.now += 15
    assert run(pool).ok
    assert run(pool).ok


def test_a_refused_login_counts_and_stays_a_refused_login(
    make_pool: MakePool, dialler: Dialler
) -> None:
    pool = make_pool(failures_to_open=2)
    dialler.script = [AuthenticationRefused("box", "wrong key")] * 2
    fail(pool, 2)
    (refusal,) = fail(pool, 1)
    assert type(refusal) is AuthenticationRefused
    assert len(dialler.dialled) == 2


def test_a_changed_key_stops_everything_until_the_pin_changes(
    make_pool: MakePool, dialler: Dialler, clock: Clock
) -> None:
    pool = make_pool(channels_per_connection=1)
    run(pool)
    dialler.made[0].hold.clear()
    threads, _ = in_threads(1, lambda: run(pool))
    until(lambda: dialler.made[0].running == 1)
    dialler.script = [CHANGED]
    fail(pool, 1)
    dialler.made[0].hold.set()
    threads[0].join()
    clock.now += 1_000_000
    pool.sweep()
    (error,) = fail(pool, 1)
    assert isinstance(error, HostKeyChanged), "not even over the connection from before"
    assert error.offered == CHANGED.offered
    assert len(dialler.dialled) == 2
    assert run(pool, replace(BOX, host_key="new pin")).ok


def test_a_person_may_ask_to_try_again(make_pool: MakePool, dialler: Dialler) -> None:
    pool = make_pool(failures_to_open=1)
    dialler.script = [CHANGED]
    fail(pool, 2)
    pool.reset(BOX)
    assert run(pool).ok
    dialler.made[0].close()
    dialler.script = [UNREACHABLE]
    fail(pool, 2)
    assert len(dialler.dialled) == 3
    pool.reset(BOX)
    assert run(pool).ok


def test_one_machines_failures_are_not_anothers(make_pool: MakePool, dialler: Dialler) -> None:
    pool = make_pool(failures_to_open=1)
    dialler.script = [UNREACHABLE]
    fail(pool, 2)
    assert run(pool, GATE).ok


# Processes.


def test_a_forked_child_starts_over_and_leaves_the_parents_alone(
    make_pool: MakePool, dialler: Dialler
) -> None:
    pool = make_pool()
    run(pool)
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        # In the child no pytest: say what happened and go.
        try:
            run(pool)
            pool.close()
            said = f"{len(dialler.made)} {dialler.made[0].is_closed}"
        except BaseException as error:
            said = repr(error)
        os.write(write_end, said.encode())
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(read_end, 1000) == b"2 False"
    assert run(pool).ok
    assert len(dialler.made) == 1


def test_each_process_has_one_default_pool() -> None:
    here = default_pool()
    assert default_pool() is here
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write_end, b"same" if default_pool() is here else b"its own")
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(read_end, 100) == b"its own"
    assert pools.default_pool() is here
