"""`python -m console.catalogs`: compiles the translations, without GNU gettext.

Plain Python: it runs without Django.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import polib

ROOT = Path(__file__).resolve().parent.parent


def compile_catalogs(root: Path = ROOT) -> list[Path]:
    """Compile every `locale/*/LC_MESSAGES/*.po` below `root`; the files written.

    A reader never sees half a file. Raises `OSError` with polib's words on a broken catalogue.
    """
    written = []
    for source in sorted(root.glob("locale/*/LC_MESSAGES/*.po")):
        target = source.with_suffix(".mo")
        temporary = target.with_suffix(f".{os.getpid()}.new")
        polib.pofile(str(source)).save_as_mofile(str(temporary))
        temporary.replace(target)
        written.append(target)
    return written


if __name__ == "__main__":
    try:
        compile_catalogs()
    except OSError as error:
        sys.exit(str(error))
