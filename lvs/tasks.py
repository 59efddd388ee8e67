"""What workers run for load balancing. A task carries a primary key and nothing else."""

from __future__ import annotations

from celery import shared_task

from console.execution import execute
from lvs import (
    adoption,
    cascading,
    connections,
    drain,
    poll,
    prepared_poll,
    preparing,
    proof,
    proving,
    through,
)
from lvs.configure import configure
from lvs.execute import apply
from lvs.importing import look


@shared_task
def apply_director(pk: int) -> None:
    execute(pk, apply)


@shared_task
def configure_director(pk: int) -> None:
    execute(pk, configure)


@shared_task
def apply_cascade(pk: int) -> None:
    execute(pk, cascading.apply)


@shared_task
def observe_director(pk: int) -> None:
    execute(pk, poll.look)


@shared_task
def survey_director(pk: int) -> None:
    execute(pk, look.survey)


@shared_task
def remove_unmanaged(pk: int) -> None:
    execute(pk, adoption.remove)


@shared_task
def prove_virtual_service(pk: int) -> None:
    execute(pk, proof.prove)


@shared_task
def drain_real_server(pk: int) -> None:
    execute(pk, drain.drain)


@shared_task
def begin_due_proofs() -> None:
    proving.begin_due()


@shared_task
def sweep_probe(pk: int) -> None:
    execute(pk, through.sweep)


@shared_task
def search_connections(pk: int) -> None:
    execute(pk, connections.search)


@shared_task
def prepare_real_server(pk: int) -> None:
    execute(pk, preparing.prepare)


@shared_task
def look_at_due_real_servers() -> None:
    for pk in prepared_poll.due():
        look_at_real_server.delay(pk)


@shared_task
def look_at_real_server(pk: int) -> None:
    prepared_poll.poll(pk)


@shared_task
def observe_due_directors() -> None:
    for pk in poll.due():
        poll_director.delay(pk)


@shared_task
def poll_director(pk: int) -> None:
    poll.poll(pk)
