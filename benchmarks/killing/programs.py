"""The two training programs that are killed: as small as they can be, with everything recorded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

LOG_FREQUENCY = 2
"""Steps of a flushed window: what a kill may cost."""

ABR = {
    "model.architecture.base_channels": 8,
    "model.architecture.n_levels": 2,
    "model.architecture.channel_multipliers": [1, 2],
    "model.architecture.encoder.n_s4_layers": 1,
    "model.architecture.encoder.d_state": 4,
    "model.architecture.decoder.n_heads": 2,
    "model.architecture.film.hidden_dim": 8,
    "model.architecture.heads.hidden_dim": 8,
    "data.dataloader.batch_size": 16,
    "training.max_steps_per_epoch": 5,
}
EEG = {"training.max_steps_per_epoch": 5}
COMMON = {
    "training.epochs": 3,
    "training.log_frequency": LOG_FREQUENCY,
    "hardware.device": "cpu",
    "logging.use_tensorboard": True,
    "logging.figure": False,
}


@dataclass(frozen=True)
class Program:
    """A command that trains.

    Attributes
    ----------
    name
        For the table.
    start
        Words before the folder.
    settings
        What is configured.
    """

    name: str
    start: tuple[str, ...]
    settings: dict[str, object]

    def words(self, folder: Path, mode: str = "") -> list[str]:
        """Return the command line for a run in `folder`."""
        settings = dict(self.settings)
        place = ["--model_dir", str(folder)]
        if self.name == "ABR":
            settings["logging.log_dir"] = str(folder.parent)
            place = ["--experiment", folder.name]
        pairs = [word for k, v in settings.items() for word in ("--set", f"{k}={json.dumps(v)}")]
        return [*self.start, *place, *pairs, *([mode] if mode else [])]


def abr(data: Path) -> Program:
    """Return ABR training on 30 simulated patients, made in `data`."""
    from neuroprism.cli.app import run

    path = data / "recordings.npz"
    assert run(["simulate", "abr", str(path), "--patients", "30", "--preset", "balanced"]) == 0
    return Program("ABR", ("train",), {"data.dataset_path": str(path), **ABR, **COMMON})


def eeg(data: Path) -> Program:
    """Return EEG fine-tuning on simulated recordings of four subjects, prepared in `data`."""
    from neuroprism.cli.app import run

    raw, store = str(data / "raw"), str(data / "store")
    assert run(["simulate", "eeg", "MentalArithmetic", raw, "--subjects", "4", "--seed", "0"]) == 0
    assert run(["prepare", "MentalArithmetic", raw, store]) == 0
    words = ("finetune", "--downstream_dataset", "MentalArithmetic", "--datasets_dir", store)
    return Program("EEG", (*words, "--backbone", "eegnet", "--batch_size", "8"), {**EEG, **COMMON})
