"""The methods by name. A new one is a file with a frozen dataclass and its `run`, and a line here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dragkit.edits import Drag, Edit, Replace, Reprompt
from dragkit.methods import attention_drag, dragdiffusion, masactrl, prompt_to_prompt
from dragkit.methods.attention_drag import AttentionDrag
from dragkit.methods.dragdiffusion import FREEDRAG, GOODDRAG, DragDiffusion
from dragkit.methods.dragondiffusion import DIFFEDITOR, TOY, DragonDiffusion
from dragkit.methods.masactrl import MasaCtrl
from dragkit.methods.method import Job, Method, Step
from dragkit.methods.prompt_to_prompt import PromptToPrompt
from dragkit.methods.warp import Warp

METHODS: dict[str, Method] = {
    "warp": Warp(),
    "dragondiffusion": DragonDiffusion(),
    "diffeditor": DIFFEDITOR,
    "dragdiffusion": DragDiffusion(),
    "gooddrag": GOODDRAG,
    "freedrag": FREEDRAG,
    "attention-drag": AttentionDrag(),
    "masactrl": MasaCtrl(),
    "prompt-to-prompt": PromptToPrompt(),
}
TUNED: dict[tuple[str, str], Method] = {  # (method, model) -> settings
    ("dragondiffusion", "toy"): TOY,
    ("diffeditor", "toy"): replace(TOY, alternate=DIFFEDITOR.alternate, repeats=DIFFEDITOR.repeats, sde=DIFFEDITOR.sde),
    ("dragdiffusion", "toy"): dragdiffusion.TOY,
    ("attention-drag", "toy"): attention_drag.TOY,
    ("masactrl", "toy"): masactrl.TOY,
    ("prompt-to-prompt", "toy"): prompt_to_prompt.TOY,
}


def default(edits: Sequence[Edit]) -> str:
    """The method of edits where none is asked for: the quickest that does them, which on the toy world is the best."""
    if not isinstance(edits[0], Reprompt):
        return "dragondiffusion" if any(isinstance(edit, Replace) for edit in edits) else "warp"
    return "attention-drag" if any(isinstance(edit, Drag) for edit in edits) else "masactrl"


def for_model(method: str, model: str) -> Method:
    """A method with the settings tuned for a model, the published ones where none were."""
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; give one of {', '.join(METHODS)}")
    return TUNED.get((method, model), METHODS[method])


__all__ = [
    "METHODS",
    "AttentionDrag",
    "DragDiffusion",
    "DragonDiffusion",
    "Job",
    "MasaCtrl",
    "Method",
    "PromptToPrompt",
    "Step",
    "Warp",
    "default",
    "for_model",
]
