"""The program run in this process, on a small set of recordings and a tiny network."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from neuroprism.abr import AbrRecordings, load_recordings
from neuroprism.abr.store import file_sha256, schema_path
from neuroprism.cli.app import run

TINY = {
    "model.architecture.base_channels": 8,
    "model.architecture.n_levels": 2,
    "model.architecture.channel_multipliers": [1, 2],
    "model.architecture.encoder.n_s4_layers": 1,
    "model.architecture.encoder.d_state": 4,
    "model.architecture.decoder.n_heads": 2,
    "model.architecture.film.hidden_dim": 8,
    "model.architecture.heads.hidden_dim": 8,
    "data.dataloader.batch_size": 16,
    "training.max_steps_per_epoch": 3,
    "training.scheduler.type": "constant",
    "training.optimizer.learning_rate": 1e-3,
    "hardware.device": "cpu",
    "logging.use_tensorboard": False,
    "logging.figure": False,
}


def assignments(**settings: Any) -> list[str]:
    """``--set`` for each setting; ``__`` stands for a dot."""
    pairs = [f"{name.replace('__', '.')}={json.dumps(value)}" for name, value in settings.items()]
    return [word for pair in pairs for word in ("--set", pair)]


class Program:
    """The command line in one folder."""

    def __init__(self, folder: Path, data: Path) -> None:
        self.folder = folder
        self.data = data

    def arguments(self, *arguments: str, experiment: str = "x", **settings: Any) -> list[str]:
        """Return the words of a `train` command."""
        given = {name.replace("__", "."): value for name, value in settings.items()}
        chosen = {
            "data.dataset_path": str(self.data),
            "logging.log_dir": str(self.folder / "logs"),
            **TINY,
            **given,
        }
        for flag, key in FLAGS.items():
            if flag in arguments and key not in given:
                chosen.pop(key, None)
        return ["train", "--experiment", experiment, *assignments(**chosen), *arguments]

    def train(self, *arguments: str, experiment: str = "x", **settings: Any) -> int:
        """Train and return the exit code."""
        return run(self.arguments(*arguments, experiment=experiment, **settings))

    def run_folder(self, experiment: str = "x") -> Path:
        return self.folder / "logs" / experiment

    def config(self, experiment: str = "x") -> dict[str, Any]:
        """Return the configuration that the run stored."""
        return yaml.safe_load((self.run_folder(experiment) / "config.yaml").read_text())

    def rows(self, experiment: str = "x") -> list[dict[str, Any]]:
        """Return the rows of `steps.jsonl`."""
        text = (self.run_folder(experiment) / "steps.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]

    def events(self, kind: str, experiment: str = "x") -> list[dict[str, Any]]:
        """Return the events of one kind."""
        text = (self.run_folder(experiment) / "events.jsonl").read_text()
        return [event for event in map(json.loads, text.splitlines()) if event["event"] == kind]

    def snapshot(self) -> dict[str, bytes | None]:
        """Return every file with its bytes; None for a folder."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes() if path.is_file() else None
            for path in sorted(self.folder.rglob("*"))
        }


class FineTuning(Program):
    """The same with `finetune` on a prepared store of EEG; `data` is the store."""

    def arguments(self, *arguments: str, experiment: str = "x", **settings: Any) -> list[str]:
        """Return the words of a `finetune` command."""
        chosen = {
            "training.max_steps_per_epoch": 3,
            "training.scheduler.type": "constant",
            "hardware.device": "cpu",
            "logging.use_tensorboard": False,
            "logging.figure": False,
            **{name.replace("__", "."): value for name, value in settings.items()},
        }
        place = ["--datasets_dir", str(self.data), "--model_dir", str(self.run_folder(experiment))]
        kind = ["--downstream_dataset", "MentalArithmetic", "--backbone", "eegnet", "--batch_size", "8"]
        return ["finetune", *kind, *place, *assignments(**chosen), *arguments]


FLAGS = {
    "--batch_size": "data.dataloader.batch_size",
    "--learning_rate": "training.optimizer.learning_rate",
    "--device": "hardware.device",
}


@pytest.fixture(scope="session")
def data_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return 30 simulated patients, all classes alike."""
    path = tmp_path_factory.mktemp("data") / "recordings.npz"
    assert run(["simulate", "abr", str(path), "--patients", "30", "--preset", "balanced"]) == 0
    return path


@pytest.fixture(scope="session")
def recordings(data_file: Path) -> AbrRecordings:
    return load_recordings(data_file)


@pytest.fixture
def program(data_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Return the program in an empty working folder, free of settings of this machine."""
    for name in list(os.environ):
        if name.startswith("NEUROPRISM__"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return Program(tmp_path, data_file)


@pytest.fixture(scope="session")
def eeg_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a prepared store of simulated MentalArithmetic recordings."""
    folder = tmp_path_factory.mktemp("mental")
    raw, store = str(folder / "raw"), folder / "store"
    assert run(["simulate", "eeg", "MentalArithmetic", raw, "--subjects", "4", "--seed", "0"]) == 0
    assert run(["prepare", "MentalArithmetic", raw, str(store)]) == 0
    return store


@pytest.fixture
def finetuning(program: Program, eeg_store: Path) -> FineTuning:
    """Return fine-tuning in the folder of `program`."""
    return FineTuning(program.folder, eeg_store)


@pytest.fixture(params=["program", "finetuning"], ids=["ABR", "EEG"])
def either(request: pytest.FixtureRequest) -> Program:
    """Return the one program that trains and the other."""
    found: Program = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def finished(data_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Return the program after a run of two epochs with everything recorded; not to be changed."""
    program = Program(tmp_path_factory.mktemp("finished"), data_file)
    settings: dict[str, Any] = {
        "logging.use_tensorboard": True,
        "logging.figure": True,
        "logging.histogram_every_n_epochs": 1,
        "training.log_frequency": 2,
        "loss.weights.diffusion": 0.7,
        "loss.weights.threshold": 1.9,
        "loss.weights.peak_latency": 0.0,
    }
    assert program.train("--epochs", "2", **settings) == 0
    return program


@pytest.fixture
def refused(program: Program, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Return a check: the command exits with 2, says one line, writes nothing; it returns the line."""

    def check(*arguments: str, **settings: Any) -> str:
        return refuse(program.arguments(*arguments, **settings))

    def refuse(words: list[str]) -> str:
        before = program.snapshot()
        capsys.readouterr()
        code = run(words)
        shown = capsys.readouterr()
        assert code == 2, shown.err
        assert shown.err.startswith("neuroprism: ")
        assert shown.err.count("\n") == 1
        assert shown.err.endswith("\n")
        assert shown.out == ""
        assert program.snapshot() == before
        return shown.err.removeprefix("neuroprism: ").rstrip("\n")

    check.command = lambda *words: refuse(list(words))  # type: ignore[attr-defined]
    return check


@pytest.fixture
def rewritten(data_file: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return a writer of sets whose arrays were changed and whose schema was made to agree."""

    def write(change: Callable[[dict[str, Any]], None], **schema: Any) -> Path:
        with np.load(data_file) as stored:
            arrays = {name: stored[name] for name in stored.files}
        change(arrays)
        path = tmp_path / "changed.npz"
        np.savez(path, **arrays)
        content = json.loads(schema_path(data_file).read_text())
        for name, array in arrays.items():
            content["arrays"][name] |= {"dtype": array.dtype.str, "shape": list(array.shape)}
        content |= {"sha256": file_sha256(path), **schema}
        schema_path(path).write_text(json.dumps(content))
        return path

    return write
