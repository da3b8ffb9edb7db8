"""`dragkit bench ablate`: the papers' own studies."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from dragkit.cli.bench.measured import counted
from dragkit.cli.options import Load


@dataclasses.dataclass(frozen=True)
class Studied:
    """How the studies are made."""

    size: Annotated[str, typer.Option(metavar="quick|full|N", help="Development scenes: 8, 64 or N.")] = "quick"
    steps: Annotated[int, typer.Option(min=1, max=999, help="Denoising steps.")] = 50
    settings: Annotated[
        list[str], typer.Option("--set", metavar="NAME=VALUE", help="A setting of the study's method; may be repeated.")
    ] = ()  # type: ignore[assignment]
    strength: Annotated[
        list[float], typer.Option(min=0, metavar="X", help="Of reconstruction; may be repeated.", show_default="1")
    ] = ()  # type: ignore[assignment]


def ablate(
    studied: Studied,
    load: Load,
    study: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[STUDY...]",
            help="reconstruction, move, attention-drag, dragdiffusion, rounds, speeds.",
            show_default="all",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of tables and sheets.")] = Path("out/ablate"),
) -> None:
    """Repeat studies of the methods' papers on scenes whose true result is known: docs/studies.md.

    \b
    dragkit bench ablate
    dragkit bench ablate reconstruction --size 2 --strength 1 --strength 4
    dragkit bench ablate move --set fresh=0 --set hide=false
    dragkit bench ablate attention-drag --size 2
    """
    from dragkit.bench import ablate as studies
    from dragkit.bench.study import Setup
    from dragkit.cli import work
    from dragkit.edits import Request
    from dragkit.methods.chosen import chosen

    names = list(dict.fromkeys(study or studies.STUDIES))
    for name in names:
        if name not in studies.STUDIES:
            raise ValueError(f"there is no study {name}; give some of {', '.join(studies.STUDIES)}")
    model = load.model or "toy"
    settings, seeds = work.parse_settings(list(studied.settings)), range(counted(studied.size))
    strengths = tuple(dict.fromkeys(studied.strength)) or (1.0,)
    setups = {}
    for name in names:
        wish = Request.model_construct(method=studies.OF.get(name, "dragondiffusion"), model=model, settings=settings)
        setups[name] = Setup(out, chosen(wish), seeds, studied.steps, strengths)
    editor = work.loaded(model, load)
    for name in names:
        with work.progress(name) as tick:
            found = studies.STUDIES[name](editor, setups[name], tick)
        print(studies.table(found))
        for path in studies.write(found, out):
            print(path)
