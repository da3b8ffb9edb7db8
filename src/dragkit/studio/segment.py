"""Pick an object by Segment Anything (Kirillov et al. 2023, arXiv 2304.02643) where the user has its weights."""

from __future__ import annotations

import threading
from typing import Any, Self

import numpy as np
import torch
from transformers import SamModel, SamProcessor

from dragkit import loading
from dragkit.geometry import Mask
from dragkit.pictures import Pixels

Point = tuple[float, float]
Box = tuple[float, float, float, float]


class Segmenter:
    """Segment Anything with its weights, for one picture at a time."""

    def __init__(self, model: Any, processor: Any) -> None:
        """model, processor: transformers' SamModel and SamProcessor."""
        self._model, self._processor = model, processor
        self._lock = threading.Lock()

    @classmethod
    def load(cls, name: str) -> Self:
        """From a folder, or a hub id that is in the local cache: nothing is downloaded.

        Raises:
            ValueError: what is there is no Segment Anything.
        """
        try:
            with loading.quiet():
                model = SamModel.from_pretrained(name, local_files_only=True, use_safetensors=True)
                processor = SamProcessor.from_pretrained(name, local_files_only=True)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ValueError(f"{name} is no Segment Anything that can be read ({reason}); give its folder") from None
        return cls(model.eval(), processor)

    @torch.no_grad()
    def __call__(self, picture: Pixels, point: Point | None, box: Box | None) -> Mask:
        """The object under a point, or in a box, of a picture [h, w, 3]: the mask [h, w] that the model likes best."""
        where = {"input_boxes": [[list(box)]]} if box else {"input_points": [[list(point or (0, 0))]]}
        with self._lock:
            asked = self._processor(picture, **where, return_tensors="pt")
            found = self._model(**asked)
        sizes = asked["original_sizes"], asked["reshaped_input_sizes"]
        masks = self._processor.image_processor.post_process_masks(found.pred_masks, *sizes)[0]
        best = int(found.iou_scores[0, 0].argmax())
        return np.asarray(masks.reshape(-1, *picture.shape[:2])[best].numpy(), bool)
