"""Which code a figure comes from."""

from __future__ import annotations

import subprocess
from pathlib import Path

import dragkit

PACKAGE = Path(dragkit.__file__).parent


def code() -> str:
    """Version and commit of the running package: "dragkit 0.1.0, commit 1f0c2a9, changed", `changed` where the
    package's own files are not those of the commit; without git, or outside a repository, the version alone."""
    commit, changes = _git("rev-parse", "--short", "HEAD"), _git("status", "--porcelain", "--", ".")
    tracked = _git("ls-files", "--", "__init__.py")  # an installed copy may lie in the repository of something else
    version = f"dragkit {dragkit.__version__}"
    return f"{version}, commit {commit}{', changed' if changes else ''}" if commit and tracked else version


def _git(*arguments: str) -> str:
    """What git says in the package's folder, "" where it fails or there is none."""
    try:
        found = subprocess.run(["git", *arguments], cwd=PACKAGE, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""
