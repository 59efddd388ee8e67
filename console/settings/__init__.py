"""The console's settings, one file a subject.

Everything that differs between machines comes from the environment; `docs/settings.md`
lists each variable. Without any, the console runs embedded: SQLite and a Redis of its own.
"""

from console.settings.base import *  # noqa: F403
from console.settings.logs import LOGGING, configure_structlog  # noqa: F401
from console.settings.security import *  # noqa: F403
from console.settings.tuning import *  # noqa: F403

configure_structlog()
