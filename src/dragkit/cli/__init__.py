"""The command line: it alone prints and saves. `dragkit --help` loads no torch."""

from __future__ import annotations

INTERRUPTED = 130  # 128 + SIGINT, what a shell reports for Ctrl-C


def main() -> None:
    """Entry point of the `dragkit` program; Ctrl-C is no failure to show a traceback for, even while it loads."""
    try:
        from dragkit.cli.app import app

        app()
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
