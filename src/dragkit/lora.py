"""Low-rank additions to the U-Net (LoRA, Hu et al. 2021, arXiv 2106.09685), over peft.

The base weights never change. A `Lora` is a value; `attached` puts it on for as long as a `with` lasts, beside any
adapter that is already there. `dragkit.memorise` trains one on a picture.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from dragkit.model import StableDiffusion

NAME = "dragkit"  # the adapter's name while it is attached
PROJECTIONS = (
    ".to_q",
    ".to_k",
    ".to_v",
    ".to_out.0",
)  # of every attention, self and cross: DragDiffusion, released code
DOWN, UP = ".lora_A.weight", ".lora_B.weight"  # [rank, in], [out, rank]
OLDER = {".lora.down.weight": DOWN, ".lora.up.weight": UP}  # how diffusers writes the same
PREFIX = "unet."


@dataclass(frozen=True, eq=False)
class Lora:
    """Low-rank weights by name, "<module>.lora_A.weight" [rank, in] and "<module>.lora_B.weight" [out, rank].

    about: what a file says of it: model, settings. No meaning for the arithmetic.
    """

    weights: Mapping[str, Tensor]
    about: Mapping[str, str] = field(default_factory=dict)

    @property
    def modules(self) -> list[str]:
        return [name.removesuffix(DOWN) for name in self.weights if name.endswith(DOWN)]


def projections(unet: Any) -> list[str]:
    """Names of the attention projections of a U-Net, in its own order."""
    return [name for name, module in unet.named_modules() if name.endswith(PROJECTIONS) and hasattr(module, "weight")]


class Attachment:
    """A LoRA fitted to a U-Net; each `with` of it adds the LoRA's part, beside what is active there.

    Fitting makes the layers and leaves the U-Net as it was; entering and leaving only swap modules, so that what was
    there comes back as the same objects.

    Raises:
        ValueError: where an adapter was fused into the weights, which hides every other.
    """

    def __init__(self, unet: Any, lora: Lora) -> None:
        self._unet, self._places = unet, dict[str, tuple[dict[str, Any], str]]()
        own = adapters(unet)
        if any(layer.merged for layer in own.values()):
            raise ValueError("an adapter is fused into the U-Net; call unfuse_lora() before a LoRA is put beside it")
        self._off = {**own, **{name: unet.get_submodule(name) for name in lora.modules}}
        trains = {p: p.requires_grad for p in unet.parameters()}
        known = unet.__dict__.pop("peft_config", None)
        try:
            self._swap({name: _twin(layer) for name, layer in own.items()})
            _inject(unet, lora)
            self._on = {name: unet.get_submodule(name) for name in self._off}
        finally:
            self._swap(self._off)
            unet.__dict__.pop("peft_config", None)
            if known is not None:
                unet.peft_config = known
            for parameter, flag in trains.items():
                parameter.requires_grad_(flag)

    def __enter__(self) -> None:
        self._swap(self._on)

    def __exit__(self, *_: object) -> None:
        self._swap(self._off)

    def _swap(self, modules: Mapping[str, Any]) -> None:
        for name, module in modules.items():
            if name not in self._places:  # found once: methods enter and leave at every step
                parent, _, child = name.rpartition(".")
                self._places[name] = self._unet.get_submodule(parent)._modules, child
            siblings, child = self._places[name]
            siblings[child] = module


def attached(unet: Any, lora: Lora | None) -> AbstractContextManager[None]:
    """The LoRA as something to put into a `with`, as often as wanted; nothing happens without one."""
    return nullcontext() if lora is None else Attachment(unet, lora)


def _twin(layer: Any) -> Any:
    """Another adapter layer with the same weights, to which an adapter can be added without the first one knowing."""
    twin = copy.copy(layer)
    twin.__dict__ = {name: copy.copy(value) for name, value in layer.__dict__.items()}
    for name, part in layer._modules.items():
        if isinstance(part, nn.ModuleDict):
            twin._modules[name] = nn.ModuleDict(dict(part.items()))
    return twin


def _inject(unet: Any, lora: Lora) -> None:
    """peft's layers with the LoRA's own tensors; the layers are made without memory, so no random number is drawn."""
    from peft import LoraConfig, inject_adapter_in_model

    active = {name: m.active_adapters for name, m in adapters(unet).items() if not m.disable_adapters}
    config = LoraConfig(r=1, lora_alpha=1, target_modules=lora.modules, init_lora_weights=False)
    inject_adapter_in_model(config, unet, NAME, low_cpu_mem_usage=True)
    for name, layer in adapters(unet).items():
        layer.enable_adapters(True)
        layer.set_adapter([*active.get(name, []), NAME])
    for name in lora.modules:
        layer = unet.get_submodule(name)
        device = layer.get_base_layer().weight.device
        layer.lora_A[NAME].weight = _parameter(lora.weights[name + DOWN], device)
        layer.lora_B[NAME].weight = _parameter(lora.weights[name + UP], device)


def adapters(unet: Any) -> dict[str, Any]:
    """peft's layers by name."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    return {name: m for name, m in unet.named_modules() if isinstance(m, BaseTunerLayer)}


def _parameter(weights: Tensor, device: torch.device) -> nn.Parameter:
    """Weights in training as they are, so that their optimiser knows them; others as a constant."""
    if isinstance(weights, nn.Parameter):
        return weights
    return nn.Parameter(weights.to(device), requires_grad=False)


def write(path: Path, lora: Lora) -> None:
    """Save as a safetensors file that diffusers' `load_lora_weights` takes; whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    weights = {PREFIX + name: w.detach().cpu().contiguous() for name, w in lora.weights.items()}
    try:
        save_file(weights, part, metadata={"format": "pt", **lora.about})
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read(path: Path, model: StableDiffusion) -> Lora:
    """A LoRA of this model's attention projections from a safetensors file, its tensors on the model's device.

    Raises:
        ValueError: for a file that is none, or one of other layers or of another model.
    """
    try:
        with safe_open(path, "pt") as file:
            about = dict(file.metadata() or {})
            weights = {_our_name(name): file.get_tensor(name).float().to(model.device) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise ValueError(f"there is no LoRA {path}; `dragkit finetune` makes one") from None
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is no safetensors file ({' '.join(str(error).split())})") from None
    lora = Lora(weights, about)
    _check(path, lora, model)
    return lora


def _our_name(name: str) -> str:
    name = name.removeprefix(PREFIX)
    for older, ours in OLDER.items():
        if name.endswith(older):
            return name.removesuffix(older) + ours
    return name


def _check(path: Path, lora: Lora, model: StableDiffusion) -> None:
    """Refuse weights that do not belong on the model's projections."""
    layers = set(projections(model.unet))
    expected = {name + end for name in lora.modules for end in (DOWN, UP)}
    strange = sorted(set(lora.weights) ^ expected) or sorted(set(lora.modules) - layers)
    if strange or not lora.modules:
        what = f"has {strange[0]}" if strange else "holds no weights"
        raise ValueError(f"{path} {what}; want LoRA weights of attention projections of {model.name}, without alpha")
    for name in lora.modules:
        layer = model.unet.get_submodule(name)
        rows, columns = lora.weights[name + UP].shape[0], lora.weights[name + DOWN].shape[-1]
        if (rows, columns) != (layer.out_features, layer.in_features):
            want = f"{layer.in_features} to {layer.out_features} channels"
            raise ValueError(
                f"{path} was trained on another model: {name} has {columns} to {rows} channels, {model.name} {want}"
            )
