"""A model's folder in the Hugging Face hub's cache; what is not there yet is downloaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

PARTS = ("unet", "vae", "text_encoder")  # subfolders with weights in diffusers' layout
SMALL_FILES = ["model_index.json", "*/config.json", "scheduler/*.json", "tokenizer/*"]
WEIGHTS = [f"{part}/*.safetensors" for part in PARTS] + [f"{part}/*.safetensors.index.json" for part in PARTS]
VARIANTS = ["*.fp16.safetensors", "*.non_ema.safetensors", "*.fp16.safetensors.index.json"]  # second copies


def download(name: str, check: Callable[[Path, str], None]) -> Path:
    """Snapshot folder of a hub id: from the cache, without network, if it is whole there; else from the hub.

    Only configurations, tokenizer and safetensors are fetched. The small files come first and `check(folder, name)`
    judges them, so that an unsupported model is refused before gigabytes are on their way.

    Raises:
        ValueError: where the model is neither in the cache nor to be had.
    """
    from huggingface_hub import constants, snapshot_download

    try:
        folder = Path(snapshot_download(name, allow_patterns=SMALL_FILES + WEIGHTS, local_files_only=True))
        if _whole(folder):
            return folder
    except (OSError, ValueError):  # not in the cache, or not whole: the hub may have it
        pass
    wanted = f"{name} is not in the local cache"
    if constants.HF_HUB_OFFLINE:
        raise ValueError(f"{wanted} and HF_HUB_OFFLINE is set; unset it, download the model first or give a folder")
    try:
        folder = Path(snapshot_download(name, allow_patterns=SMALL_FILES))
    except Exception as error:  # the hub, the network below it and its client each have errors of their own
        raise _refusal(wanted, error) from error
    check(folder, name)
    try:
        folder = Path(snapshot_download(name, allow_patterns=SMALL_FILES + WEIGHTS, ignore_patterns=VARIANTS))
        if not _whole(folder):  # published in half precision only
            folder = Path(snapshot_download(name, allow_patterns=SMALL_FILES + WEIGHTS))
    except Exception as error:
        raise _refusal(wanted, error) from error
    return folder


def _whole(folder: Path) -> bool:
    return all(any((folder / part).glob("*.safetensors")) for part in PARTS)


def _refusal(wanted: str, error: Exception) -> ValueError:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return ValueError(
        f"{wanted} and the hub did not give it ({reason}); check the id and the network, or give a folder"
    )
