"""The Celery application. The database is the queue of record; the broker only wakes workers."""

import os

from celery import Celery
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")

app = Celery("evenkeel")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.update(
    task_ignore_result=True,
    task_serializer="json",
    accept_content=["json"],
    task_acks_late=False,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "visibility_timeout": 3600,
        "socket_keepalive": True,
        # A publisher that finds the broker away gives up fast: the sweep sends later.
        "socket_connect_timeout": 2,
        "max_retries": 1,
    },
    task_publish_retry=False,
    beat_schedule={
        "sweep": {"task": "console.tasks.sweep", "schedule": settings.SWEEP_INTERVAL},
        "observe-directors": {
            "task": "lvs.tasks.observe_due_directors",
            "schedule": settings.SWEEP_INTERVAL,
        },
        "look-at-real-servers": {
            "task": "lvs.tasks.look_at_due_real_servers",
            "schedule": settings.SWEEP_INTERVAL,
        },
        "prove-services": {
            "task": "lvs.tasks.begin_due_proofs",
            "schedule": settings.SWEEP_INTERVAL,
        },
        "tidy": {"task": "console.tasks.tidy", "schedule": 3600.0},
    },
)
