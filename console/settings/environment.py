"""Reading the environment, and the few secrets that live beside the database."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cryptography.fernet import Fernet

BASE_DIR = Path(__file__).resolve().parent.parent.parent


def state_dir() -> Path:
    """Where the embedded console keeps its files: `EVENKEEL_STATE_DIR` or `var/`."""
    path = Path(os.environ.get("EVENKEEL_STATE_DIR", BASE_DIR / "var"))
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def flag(name: str, default: bool = False) -> bool:
    """A yes-or-no variable: 1, true, yes and on (in any case) mean yes."""
    value = os.environ.get(name)
    return default if value is None else value.strip().lower() in {"1", "true", "yes", "on"}


def words(name: str, default: str = "") -> list[str]:
    """A comma-separated variable as a list without blanks."""
    return [part.strip() for part in os.environ.get(name, default).split(",") if part.strip()]


def kept_secret(name: str, filename: str, make: str = "token") -> str:
    """A secret from the environment, else from a file of mode 0600, made on first use.

    `make` is "token" (random text) or "fernet" (a key for encryption at rest).
    """
    if value := os.environ.get(name):
        return value
    directory = state_dir() / "keys"
    directory.mkdir(mode=0o700, exist_ok=True)
    path = directory / filename
    if not path.exists():
        fresh = Fernet.generate_key().decode() if make == "fernet" else secrets.token_urlsafe(50)
        temporary = path.with_suffix(f".{os.getpid()}.new")
        temporary.touch(mode=0o600)
        temporary.write_text(fresh + "\n")
        try:
            os.link(temporary, path)  # whoever comes first wins; the others read
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    return path.read_text().strip()
