"""The command line: it alone prints and saves. `dragkit --help` loads no torch."""

from dragkit.cli.app import app, main

__all__ = ["app", "main"]
