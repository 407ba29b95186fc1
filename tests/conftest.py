"""What all tests share."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# One thread a worker: pytest runs one worker per core, and results must not depend on the machine.
os.environ["OMP_NUM_THREADS"] = "1"

ROOT = Path(__file__).parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--runslow", action="store_true", help="run the longer proofs too")


LONG = ("test_notebook", "test_killed_run", "test_docs", "test_torchrun", "test_check_monitoring")
"""Files that take half a minute or more."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # First, so that no worker is left alone with one of them in the end.
    items.sort(key=lambda item: item.path.stem not in LONG)
    if config.getoption("--runslow"):
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="longer proof: run with --runslow"))


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """Return a finder of folders with real recordings; a test that asks for an absent one is skipped."""
    root = Path(os.environ.get("NEUROPRISM_TEST_DATA", ROOT.parent / "shared" / "data"))

    def folder(name: str) -> Path:
        if not (root / name).is_dir():
            pytest.skip(f"no real recordings in {root / name}; NEUROPRISM_TEST_DATA names another folder")
        return root / name

    return folder


@pytest.fixture
def published_log(repository: Path) -> dict[str, Any]:
    """Return the training log of a published run, as earlier code wrote it: 50 epochs, four classes."""
    return json.loads((repository / "tests/runs/published_training_log.json").read_text())


@pytest.fixture
def write_log(tmp_path: Path) -> Callable[..., Path]:
    """Return a writer of `training_log.json` as earlier code wrote it: indented by 2, with bare NaN."""

    def write(content: Any, folder: str = "results/physio_models_test") -> Path:
        path = tmp_path / folder / "training_log.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=2))
        return path

    return write


@pytest.fixture
def record_run(tmp_path: Path) -> Callable[..., Path]:
    """Return a writer of small recorded runs; the epoch before the last is selected."""
    from neuroprism.core.records import Component
    from neuroprism.monitor import Monitor
    from neuroprism.monitor.sinks import EventsFile, RunFile, StepsFile, TrainingLog

    def write(
        name: str,
        accuracy: float,
        *,
        seed: int | None = 0,
        backbone: str = "eegnet",
        dataset: str = "MentalArithmetic",
        n_epochs: int = 3,
        test: bool = True,
        parts: tuple[str, ...] = ("bce",),
        metric: str = "balanced_accuracy",
    ) -> Path:
        config = {
            "data": {"dataset": dataset, "subjects": {"seed": 0}},
            "model": {"backbone": backbone},
            "reproducibility": {"seed": seed},
        }
        components = [Component(name=part, label=part.title(), baseline=0.6) for part in parts]
        selected = max(1, n_epochs - 1)
        sinks = [RunFile(), StepsFile(), EventsFile(), TrainingLog()]
        with Monitor(
            tmp_path / name, components, task=dataset, seed=seed, config=config, sinks=sinks
        ) as monitor:
            for epoch in range(1, n_epochs + 1):
                monitor.step(dict.fromkeys(parts, 1.0 / epoch), lr=1e-3)
                metrics = {metric: accuracy - 0.01 * abs(selected - epoch)}
                val = dict.fromkeys(parts, 0.5 + 0.2 / epoch)
                monitor.epoch(val=val, metrics=metrics, best=epoch <= selected)
            if test:
                monitor.test(
                    losses=dict.fromkeys(parts, 0.7),
                    metrics={metric: accuracy - 0.1},
                    best_epoch=selected,
                    confusion_matrix=[[8, 2], [3, 7]],
                    intervals={metric: (accuracy - 0.2, accuracy)},
                )
        return tmp_path / name

    return write
