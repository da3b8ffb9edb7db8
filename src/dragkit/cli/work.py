"""From a checked request to result files: everything that can be refused is refused before a model is loaded."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from dragkit import pictures, records
from dragkit.checks import check, explain
from dragkit.cli import outputs, sources
from dragkit.cli.options import Json, Load, Save, Way, say
from dragkit.cli.sources import Ready
from dragkit.cli.sources import progress as progress  # of those who measure, too
from dragkit.edits import Edit, Request, shown
from dragkit.metadata import Metadata
from dragkit.records import Drawing

if TYPE_CHECKING:
    from dragkit.editor import Editor, Result


def requested(asked: Json) -> Request:
    """The request of its JSON form with one edit; paths start from the current folder.

    Raises:
        ValueError: one sentence.
    """
    try:
        return Request.model_validate(asked, context={"folder": Path.cwd()})
    except ValidationError as error:
        raise ValueError(explain(error).removeprefix("edits[0]").lstrip(".: ")) from None


def edit(request: Request, load: Load, save: Save, way: Way, default: str, recorded: Json | None = None) -> None:
    """Do a request and write its results; `default` names the output if none is given.

    recorded: what a record says about the way it was done: weights, invert.
    """
    recorded = recorded or {}
    way = dataclasses.replace(way, invert=way.invert or recorded.get("invert") is True)
    if request.image is None:
        raise ValueError('the request names no picture; add "image": {"path": "IN.png"}')
    picture = request.image.array()
    size = (picture.shape[1], picture.shape[0])
    check(request, size)
    if way.preview:
        preview(request, save, default)
        return
    with unswept():
        request = _settled(request, load)
    files = outputs.ready_outputs(save, default, request.count, way.preview_every is not None, size)
    if way.lora == "none":
        request = request.model_copy(update={"settings": {**request.settings, "lora": None}})
    method = _chosen(request)
    refuse_unable(method, request.edits)
    if way.lora not in ("auto", "none") and not Path(way.lora).is_file():
        raise ValueError(f"there is no LoRA {way.lora}; `dragkit finetune` makes one")
    if way.embed_source:
        records.edit_record(request, "", embed=True, invert=way.invert)  # refuses what is too large, before the work
    outputs.tell_losses(files[0])
    editor = loaded(request.model, load)
    if "weights" in recorded and recorded["weights"] != editor.weights_hash:
        say("the weights are not those of the record: the result will differ")
    begun = sources.ready(editor, request, picture, method, way)
    about, result = records.metadata_of(request), None
    for index, output in enumerate(files):
        one = request.model_copy(update={"seed": request.seed + index, "count": 1})
        if result is None or result.random:
            watch = _previews(editor, begun, picture, output, way.preview_every, save.force, about)
            result = _edited(editor, begun, one, method, watch)
            for note in result.notes:
                say(note)
        if index == 1 and not result.random:
            say(f"nothing in this setting is random: all {len(files)} results are the same picture")
        one = one.model_copy(update={"steps": result.steps, "settings": result.settings})  # later defaults may differ
        text = records.edit_record(one, editor.weights_hash, way.embed_source, way.invert)
        outputs.write(output, begun.window.place(np.asarray(result.image), picture), text, save.force, about)


def preview(request: Request, save: Save, default: str, rigid: bool = False, trim: bool = False) -> None:
    """Write what a request asks for, by pixels alone; `default` names the file if none is given."""
    from dragkit import displacement, previews

    if request.image is None:
        raise ValueError('the request names no picture; add "image": {"path": "IN.png"}')
    (output,) = outputs.ready_outputs(save, default, 1)
    field = displacement.rigid if rigid else displacement.elastic
    shown = previews.preview(request.image.array(), request.edits, field, trim=trim)
    outputs.tell_losses(output, record=False)
    outputs.write(output, shown, None, save.force, records.metadata_of(request))


def generate(drawing: Drawing, count: int, load: Load, save: Save) -> None:
    """Draw pictures of a prompt, seed by seed."""
    files = outputs.ready_outputs(save, "generated", count, size=drawing.size or (1, 1))
    outputs.tell_losses(files[0])
    drawing = drawing.model_copy(update={"model": load.model or drawing.model})
    editor = loaded(drawing.model, load)
    for index, output in enumerate(files):
        one = drawing.model_copy(update={"seed": drawing.seed + index})
        source = sources.drawn(editor, one)
        used = {"steps": source.schedule.levels, "guidance": source.guidance, "size": source.size}
        one = one.model_copy(update=used)  # later defaults may differ
        text = records.generate_record(one, editor.weights_hash, source.picture)
        outputs.write(output, source.picture, text, save.force)


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
    """A request with what is left open in it: the model, the method, the numbers behind a speed, and the prompt where a
    Reprompt says it."""
    from dragkit.methods import default
    from dragkit.methods.speeds import explicit

    prompt = shown(request.edits, request.prompt)
    settled = {"model": load.model or request.model, "method": request.method or default(request.edits)}
    return explicit(request.model_copy(update={**settled, "prompt": prompt}))


def _chosen(request: Request) -> Any:
    """`methods.chosen.chosen`, loaded when it is needed."""
    from dragkit.methods.chosen import chosen

    return chosen(request)


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


def loaded(model: str, load: Load) -> Editor:
    """The editor of a model."""
    prepare()
    from dragkit.editor import Editor

    return Editor.from_pretrained(
        model,
        device=load.device,
        dtype=load.dtype,
        prediction=load.prediction,
        memory=load.memory,
        cache=cache_folder(),
    )


def prepare() -> None:
    """What a program does before it loads a model, and a library does not do by itself: take the machine's cores, and
    import all that is needed without looking for garbage."""
    with unswept():
        from dragkit import editor, loading, machine  # noqa: F401

        loading.libraries()
    machine.take_cores()


@contextlib.contextmanager
def unswept() -> Iterator[None]:
    """For imports: no search for garbage meanwhile, and none later among what they leave, all of which stays. A search
    goes through a million objects, again and again: a quarter of the time, and a second more at the program's end."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def cache_folder() -> Path:
    """Where what was memorised of pictures is kept: $DRAGKIT_CACHE, else dragkit in the user's folder of caches."""
    given = os.environ.get("DRAGKIT_CACHE")
    return Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dragkit"


def _previews(
    editor: Editor,
    begun: Ready,
    picture: pictures.Pixels,
    output: Path,
    every: int | None,
    force: bool,
    about: Metadata,
) -> Callable[[Any], None]:
    """What writes the whole picture as it looks at every so many steps."""
    shown: set[int] = set()

    def watch(step: Any) -> None:
        done = step.levels - step.level
        if every and done % every == 0 and 0 < done < step.levels and done not in shown:
            shown.add(done)
            path = output.with_stem(f"{output.stem}.step-{done:03d}")
            now = begun.window.place(editor.preview(step, begun.source), picture)
            pictures.write(path, now, force=force, about=about)

    return watch


def _edited(editor: Editor, begun: Ready, request: Request, method: Any, watch: Callable[[Any], None]) -> Result:
    """One result, of the window, with a bar that moves."""

    def seen(step: Any) -> None:
        tick(step.levels - step.level, step.levels)
        watch(step)

    with progress("editing") as tick:
        return editor(
            begun.source,
            begun.edits,
            prompt=request.prompt,
            reference_prompt=request.reference_prompt,
            negative_prompt=request.negative_prompt,
            method=method,
            guidance=request.guidance,
            seed=request.seed,
            preserve=request.preserve,
            lora=begun.lora,
            callback=seen,
        )
