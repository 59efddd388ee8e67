"""Settings for tests: fast hashes, local cache, no broker, any database of DATABASE_URL."""

from __future__ import annotations

import os
import tempfile

os.environ.setdefault("EVENKEEL_STATE_DIR", tempfile.mkdtemp(prefix="evenkeel-test-"))

from console.settings import *  # noqa: F403
from console.settings import REST_FRAMEWORK

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
CELERY_BROKER_URL = "memory://"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_AUTOREFRESH = True
AXES_ENABLED = False
REST_FRAMEWORK = {**REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": {"actor": "100000/min"}}
#: Heartbeats have tests of their own, in real processes; here they would wait for the
#: transaction that a test holds.
HEARTBEAT_INTERVAL = 3600.0
