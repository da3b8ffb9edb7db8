"""Drag-style editing of pictures with diffusion models: say where something should go, and it goes there.

Names load on first use, so `import dragkit` is quick and loads no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Drag": "edits",
    "Face": "edits",
    "Move": "edits",
    "Paste": "edits",
    "Remove": "edits",
    "Replace": "edits",
    "Reprompt": "edits",
    "Request": "edits",
    "Editor": "editor",
    "Result": "editor",
    "Source": "source",
    "AttentionDrag": "methods",
    "DragDiffusion": "methods",
    "DragonDiffusion": "methods",
    "MasaCtrl": "methods",
    "Warp": "methods",
    "Lora": "lora",
    "Training": "memorise",
    "preview": "previews",
}

__all__ = [
    "AttentionDrag",
    "Drag",
    "DragDiffusion",
    "DragonDiffusion",
    "Editor",
    "Face",
    "Lora",
    "MasaCtrl",
    "Move",
    "Paste",
    "Remove",
    "Replace",
    "Reprompt",
    "Request",
    "Result",
    "Source",
    "Training",
    "Warp",
    "__version__",
    "preview",
]

if TYPE_CHECKING:
    from dragkit.editor import Editor, Result
    from dragkit.edits import Drag, Face, Move, Paste, Remove, Replace, Reprompt, Request
    from dragkit.lora import Lora
    from dragkit.memorise import Training
    from dragkit.methods import AttentionDrag, DragDiffusion, DragonDiffusion, MasaCtrl, Warp
    from dragkit.previews import preview
    from dragkit.source import Source


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dragkit' has no attribute {name!r}")
    return getattr(import_module(f"dragkit.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
