"""From a checked request to result files: everything that can be refused is refused before a model is loaded."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.progress import Progress

from dragkit import pictures, records
from dragkit.cli.options import Json, Load, Save, Way, say
from dragkit.edits import Edit, Request, check, shown
from dragkit.records import Drawing

if TYPE_CHECKING:
    from dragkit.editor import Editor, Result
    from dragkit.lora import Lora
    from dragkit.source import Source

SAME = 1.0  # mean difference in grey levels below which a re-created picture is the given one (another machine rounds)

Tick = Callable[[int, int], None]  # steps done, steps in all


def edit(request: Request, load: Load, save: Save, way: Way, default: str, recorded: Json | None = None) -> None:
    """Do a request and write its results; `default` names the output if none is given.

    recorded: what a record says about the way it was done: weights, invert.
    """
    from dragkit.methods.chosen import chosen

    recorded = recorded or {}
    way = dataclasses.replace(way, invert=way.invert or recorded.get("invert") is True)
    if request.image is None:
        raise ValueError('the request names no picture; add "image": {"path": "IN.png"}')
    picture = request.image.array()
    check(request, (picture.shape[1], picture.shape[0]))
    request = _settled(request, load)
    outputs = ready_outputs(save, default, request.count, previews=way.preview_every is not None)
    if way.lora == "none":
        request = request.model_copy(update={"settings": {**request.settings, "lora": None}})
    method = chosen(request)
    refuse_unable(method, request.edits)
    if way.lora not in ("auto", "none") and not Path(way.lora).is_file():
        raise ValueError(f"there is no LoRA {way.lora}; `dragkit finetune` makes one")
    if way.embed_source:
        records.edit_record(request, "", embed=True, invert=way.invert)  # refuses what is too large, before the work
    editor = loaded(request.model, load)
    if recorded.get("weights", editor.weights_hash) != editor.weights_hash:
        say("the weights are not those of the record: the result will differ")
    source = _regenerated(editor, request, way)
    lora = _remembered(editor, request, picture, method, way, source is not None)
    source = source or _inverted(editor, request, picture, lora)
    result = None
    for index, output in enumerate(outputs):
        one = request.model_copy(update={"seed": request.seed + index, "count": 1})
        if result is None or result.random:
            result = _edited(editor, source, one, method, lora, output, way.preview_every, save.force)
            for note in result.notes:
                say(note)
        if index == 1 and not result.random:
            say(f"nothing in this setting is random: all {len(outputs)} results are the same picture")
        one = one.model_copy(update={"steps": result.steps, "settings": result.settings})  # later defaults may differ
        text = records.edit_record(one, editor.weights_hash, way.embed_source, way.invert)
        write(output, np.asarray(result.image), text, save.force)


def generate(drawing: Drawing, count: int, load: Load, save: Save) -> None:
    """Draw pictures of a prompt, seed by seed."""
    outputs = ready_outputs(save, "generated", count)
    drawing = drawing.model_copy(update={"model": load.model or drawing.model})
    editor = loaded(drawing.model, load)
    for index, output in enumerate(outputs):
        one = drawing.model_copy(update={"seed": drawing.seed + index})
        source = _drawn(editor, one)
        used = {"steps": source.schedule.levels, "guidance": source.guidance, "size": source.size}
        one = one.model_copy(update=used)  # later defaults may differ
        write(output, source.picture, records.generate_record(one, editor.weights_hash, source.picture), save.force)


def finetune(picture: pictures.Pixels, prompt: str, how: Json, load: Load, output: Path, force: bool) -> None:
    """Memorise a picture and write the LoRA."""
    from dragkit import lora
    from dragkit.memorise import Training

    training = Training(**how)
    if output.exists() and not force:
        raise ValueError(f"{output} exists already; give another output with -o or overwrite it with --force")
    if not output.parent.is_dir():
        raise ValueError(f"there is no folder {output.parent}; make it first")
    editor = loaded(load.model or "toy", load)
    with progress("memorising") as tick:
        found = editor.memorise(picture, prompt, how=training, progress=tick)
    lora.write(output, found)
    print(output)


def _settled(request: Request, load: Load) -> Request:
    """A request with what is left open in it: the model, the method, and the prompt where a Reprompt says it."""
    from dragkit.methods import default

    prompt = shown(request.edits, request.prompt)
    settled = {"model": load.model or request.model, "method": request.method or default(request.edits)}
    return request.model_copy(update={**settled, "prompt": prompt})


def refuse_unable(method: Any, edits: Sequence[Edit]) -> None:
    """`methods.method.check`, loaded when it is needed: it brings torch along."""
    from dragkit.methods.method import check

    check(method, edits)


def parse_settings(texts: list[str]) -> Json:
    """The settings of `--set name=value`: values as JSON, "0.2,0.6" as a list, anything else as text."""
    settings: Json = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f'got --set "{text}", want name=value; `dragkit methods` lists the names')
        settings[name.strip()] = _value(value.strip())
    return settings


def _value(text: str) -> Any:
    for candidate in (text, text.lower(), f"[{text}]" if "," in text else text):
        with contextlib.suppress(ValueError):
            return json.loads(candidate)
    return text


def ready_outputs(save: Save, default: str, count: int, previews: bool = False) -> list[Path]:
    """The files to write, each checked: the one asked for or a free DEFAULT.png here; numbered if there are several."""
    output = save.output or _free(default, count, save.force)
    outputs = _numbered(output, count)
    for path in outputs:
        pictures.check_writable(path, save.force)
        if previews and not save.force and (old := next(path.parent.glob(f"{path.stem}.step-*{path.suffix}"), None)):
            raise ValueError(f"{old} exists already; give another output with -o or overwrite it with --force")
    if output.suffix.lower() != ".png":
        say(f"{output.name} cannot carry the record of the edit; choose .png to be able to repeat it")
    return outputs


def _free(default: str, count: int, force: bool) -> Path:
    number, path = 1, Path(f"{default}.png")
    while not force and any(p.exists() for p in _numbered(path, count)):
        number += 1
        path = Path(f"{default}-{number}.png")
    return path


def _numbered(path: Path, count: int) -> list[Path]:
    return [path] if count == 1 else [path.with_stem(f"{path.stem}-{i}") for i in range(1, count + 1)]


def loaded(model: str, load: Load) -> Editor:
    """The editor of a model; this is where torch is imported."""
    from dragkit.editor import Editor

    precision = {"device": load.device, "dtype": load.dtype, "prediction": load.prediction}
    return Editor.from_pretrained(model, **precision, cache=cache_folder())


def cache_folder() -> Path:
    """Where what was memorised of pictures is kept: $DRAGKIT_CACHE, else dragkit in the user's folder of caches."""
    given = os.environ.get("DRAGKIT_CACHE")
    return Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dragkit"


def write(path: Path, picture: pictures.Pixels, text: str | None, force: bool) -> None:
    """Write one result and print its name on stdout."""
    pictures.write(path, picture, text, force)
    print(path)


def _drawn(editor: Editor, drawing: Drawing) -> Source:
    with progress("drawing") as tick:
        return editor.generate(
            drawing.prompt,
            size=drawing.size,
            seed=drawing.seed,
            steps=drawing.steps,
            guidance=drawing.guidance,
            negative_prompt=drawing.negative_prompt,
            progress=tick,
        )


def _regenerated(editor: Editor, request: Request, way: Way) -> Source | None:
    """The trajectory of a picture that `generate` made with these very weights and steps, or None."""
    made = None if way.invert else records.generated_by(request)
    if made is None or request.image is None:
        return None
    drawing = made.drawing
    if made.weights != editor.weights_hash or request.steps not in (None, drawing.steps):
        say("the picture was generated with other weights or steps: inverting it")
        return None
    source = _drawn(editor, drawing)
    difference = np.abs(source.picture.astype(np.int16) - request.image.array()).mean()
    if difference > SAME:
        say("the picture's record does not give the same picture here: inverting it")
        return None
    if request.prompt not in ("", drawing.prompt):
        say(f'the prompt is that of the generated picture, "{drawing.prompt}"; --invert uses yours')
    say("this picture was generated here: its own trajectory is used instead of an inversion (--invert forces one)")
    return source


def _remembered(
    editor: Editor, request: Request, picture: pictures.Pixels, method: Any, way: Way, drawn: bool
) -> Lora | None:
    """The LoRA of a file, or one trained on the picture if the method wants it; none for a picture drawn here."""
    if way.lora not in ("auto", "none"):
        from dragkit.lora import read

        lora = read(Path(way.lora), editor.model)
        say(f"the record will not hold {way.lora}: give --lora again to repeat the edit")
        return lora
    wanted = method.lora
    if wanted is None or drawn:
        return None
    with progress("memorising") as tick:
        return editor.memorise(picture, request.prompt, how=wanted, progress=tick)


def _inverted(editor: Editor, request: Request, picture: pictures.Pixels, lora: Lora | None) -> Source:
    with progress("inverting") as tick:
        return editor.invert(
            picture,
            prompt=request.prompt,
            steps=request.steps,
            negative_prompt=request.negative_prompt,
            lora=lora,
            progress=tick,
        )


def _edited(
    editor: Editor,
    source: Source,
    request: Request,
    method: Any,
    lora: Lora | None,
    output: Path,
    every: int | None,
    force: bool,
) -> Result:
    """One result, with a bar that moves and the previews written on the way."""
    shown: set[int] = set()

    def watch(step: Any) -> None:
        done = step.levels - step.level
        tick(done, step.levels)
        if every and done % every == 0 and 0 < done < step.levels and done not in shown:
            shown.add(done)
            path = output.with_stem(f"{output.stem}.step-{done:03d}")
            pictures.write(path, editor.preview(step, source), force=force)

    with progress("editing") as tick:
        return editor(
            source,
            request.edits,
            prompt=request.prompt,
            reference_prompt=request.reference_prompt,
            negative_prompt=request.negative_prompt,
            method=method,
            guidance=request.guidance,
            seed=request.seed,
            preserve=request.preserve,
            lora=lora,
            callback=watch,
        )


@contextlib.contextmanager
def progress(what: str) -> Iterator[Tick]:
    """A progress bar on stderr while a person watches, nothing else: gives the function to move it."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
