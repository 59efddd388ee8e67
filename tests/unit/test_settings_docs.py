"""Every variable that the settings read is documented, and no other."""

from __future__ import annotations

import re
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_READ = re.compile(
    r'(?:environ(?:\.get)?[\[(]|_number\(|flag\(|words\(|kept_secret\()\s*"([A-Z_]+)"'
)


def test_docs_list_what_the_settings_read() -> None:
    sources = [*(_ROOT / "console/settings").glob("*.py"), *(_ROOT / "lab").glob("*.py")]
    read = {name for path in sources for name in _READ.findall(path.read_text())}
    read -= {"XDG_CACHE_HOME", "HOME", "PATH", "USER", "SUDO_USER"}
    listed = set(re.findall(r"^\| `([A-Z_]+)`", (_ROOT / "docs/settings.md").read_text(), re.M))
    assert read <= listed, f"not documented: {read - listed}"
    assert listed <= read, f"nobody reads: {listed - read}"
