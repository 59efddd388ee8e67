"""What workers run for the kernel. A task carries a primary key and nothing else."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from console import onboarding, operations
from console.execution import execute
from console.metrics import writing
from console.models import IdempotentAnswer


@shared_task
def scan_host_key(pk: int) -> None:
    execute(pk, onboarding.scan_key)


@shared_task
def preflight_host(pk: int) -> None:
    execute(pk, onboarding.preflight)


@shared_task
def sweep() -> None:
    operations.sweep()


@shared_task
def tidy() -> None:
    """Forget the answers that nobody can ask for again, and measurements past their time."""
    day_ago = timezone.now() - timedelta(days=1)
    IdempotentAnswer.objects.filter(created_at__lt=day_ago).delete()
    writing.forget()
