"""A training run as a folder: checkpoint, log and sample sheets, so that it can be stopped and continued."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from dragkit.toy.training.optim import Average, Budget, Optimiser


@dataclass
class Run:
    """Modules in training with everything a checkpoint keeps. `folder` is made on first use."""

    folder: Path
    modules: dict[str, torch.nn.Module]
    optimiser: Optimiser
    average: Average
    budget: Budget
    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)

    def finished(self) -> bool:
        return self.budget.share(self.step) >= 1

    def advance(self, loss: torch.Tensor) -> None:
        """Backward, one optimiser step, one step of the average."""
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step(self.budget.rate(self.step))
        self.average.update()
        self.step += 1

    def report(self, **figures: float) -> None:
        """Prints one progress line and appends it to the log."""
        line = {"step": self.step, "seconds": round(self.budget.seconds(), 1), **figures}
        self.history.append(line)
        print("  ".join(f"{k} {v:.5g}" for k, v in line.items()), flush=True)
        with (self.folder / "log.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")

    def save(self) -> None:
        """Writes the checkpoint beside the old one, then takes its place: a kill never leaves half a file."""
        state = {
            "modules": {name: module.state_dict() for name, module in self.modules.items()},
            "optimiser": self.optimiser.state_dict(),
            "average": self.average.state_dict(),
            "step": self.step,
            "seconds": self.budget.seconds(),
            "torch": torch.get_rng_state(),
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        torch.save(state, self.folder / "checkpoint.part")
        os.replace(self.folder / "checkpoint.part", self.folder / "checkpoint.pt")

    def resume(self) -> bool:
        """Continues from the checkpoint if there is one; says whether there was."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "checkpoint.pt"
        if not file.exists():
            return False
        state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
        for name, module in self.modules.items():
            module.load_state_dict(state["modules"][name])
        self.optimiser.load_state_dict(state["optimiser"])
        self.average.load_state_dict(state["average"])
        self.step, self.budget.spent = state["step"], state["seconds"]
        torch.set_rng_state(state["torch"])
        return True


def write_picture(file: Path, picture: NDArray[np.uint8]) -> None:
    """uint8 [h, w, 3] RGB as PNG."""
    file.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(file), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
