"""The folder that results are written to as well, so that they outlive the browser and the server."""

from __future__ import annotations

import time
from pathlib import Path

SHOWN = 12  # of the latest results that the page offers
ENDING = ".png"


def keep(folder: Path, name: str, png: bytes) -> None:
    """Write a result under a name that sorts by time."""
    (folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{name[:6]}{ENDING}").write_bytes(png)


def latest(folder: Path | None) -> list[str]:
    """The names of the latest results, newest first."""
    found = folder.glob(f"*{ENDING}") if folder is not None else []
    return sorted((path.name for path in found), reverse=True)[:SHOWN]


def read(folder: Path | None, name: str) -> bytes:
    """A result of the folder, and no other file; ValueError where there is none."""
    if folder is None or Path(name).name != name or not name.endswith(ENDING) or not (folder / name).is_file():
        raise ValueError("there is no such picture in the workspace; it may have been moved")
    return (folder / name).read_bytes()
