"""Where results go: which files, in which format, and what these cannot keep."""

from __future__ import annotations

from pathlib import Path

from dragkit import pictures
from dragkit.cli.options import Save, say
from dragkit.metadata import NOTHING, Metadata


def ready_outputs(
    save: Save, default: str, count: int, previews: bool = False, size: tuple[int, int] = (1, 1)
) -> list[Path]:
    """The files to write, each checked: the one asked for or a free DEFAULT.png here; numbered if there are several.

    size: (width, height) of the results, where it is known.
    """
    output = save.output or _free(default, count, save.force)
    outputs = _numbered(output, count)
    for path in outputs:
        pictures.check_writable(path, save.force, size)
        if previews and not save.force and (old := next(path.parent.glob(f"{path.stem}.step-*{path.suffix}"), None)):
            raise ValueError(f"{old} exists already; give another output with -o or overwrite it with --force")
    return outputs


def tell_losses(output: Path, record: bool = True) -> None:
    """Say what a file of this format will not keep. record: whether a PNG would carry one."""
    kind = pictures.FORMATS[output.suffix.lower()]
    lost = [] if kind.exact else ["the exact pixels"]
    lost += ["the record that repeats it"] if record and kind.name != "PNG" else []
    if lost:
        say(f"{kind.name} does not keep {' and '.join(lost)}; .png does")


def _free(default: str, count: int, force: bool) -> Path:
    number, path = 1, Path(f"{default}.png")
    while not force and any(p.exists() for p in _numbered(path, count)):
        number += 1
        path = Path(f"{default}-{number}.png")
    return path


def _numbered(path: Path, count: int) -> list[Path]:
    return [path] if count == 1 else [path.with_stem(f"{path.stem}-{i}") for i in range(1, count + 1)]


def write(path: Path, picture: pictures.Pixels, text: str | None, force: bool, about: Metadata = NOTHING) -> None:
    """Write one result and print its name on stdout."""
    pictures.write(path, picture, text, force, about)
    print(path)
