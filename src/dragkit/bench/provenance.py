"""What a figure comes from."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import dragkit

PACKAGE = Path(dragkit.__file__).parent


class Made(Protocol):
    """What a figure is made of."""

    @property
    def settings(self) -> Mapping[str, Any]: ...

    @property
    def weights(self) -> str | None: ...

    @property
    def version(self) -> object: ...


def origin(samples: Sequence[Made], codes: Iterable[str]) -> str:
    """What the figures of samples come from: weights, steps, the benchmark's versions, code."""
    steps = sorted({s.settings["steps"] for s in samples if "steps" in s.settings})
    facts = [
        f"weights {', '.join(sorted({s.weights for s in samples if s.weights})) or 'none'}",
        *([f"{' and '.join(map(str, steps))} steps"] if steps else []),
        f"benchmark version {', '.join(sorted({str(s.version) for s in samples}))}",
        *dict.fromkeys(codes),
    ]
    return "; ".join(facts)


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
