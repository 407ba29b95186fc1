"""Faults that a user can make in an ABR run are found, named and answered with sound advice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neuroprism.abr.simulate import SimulationConfig, simulate
from neuroprism.abr.store import save_recordings
from neuroprism.cli.app import run
from neuroprism.core.records import Alert
from neuroprism.runs import diagnose

CONFIG = Path(__file__).parent.parent.parent / "configs" / "config.yaml"
N_PATIENTS, EPOCHS = 300, 4

Train = Callable[..., tuple[int, dict[str, Alert]]]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recordings") / "right.npz"
    save_recordings(path, simulate(SimulationConfig(n_patients=N_PATIENTS, seed=3)))
    return path


@pytest.fixture
def train(tmp_path: Path) -> Train:
    """Return a function that trains and returns the exit code and the warnings by kind."""

    def trained(data: Path, *settings: str) -> tuple[int, dict[str, Alert]]:
        fixed = [
            f"data.dataset_path={data}",
            f"logging.log_dir={tmp_path}",
            f"training.epochs={EPOCHS}",
            "monitoring.gradients.every_n_steps=25",
            "logging.figure=false",
            "logging.use_tensorboard=false",
        ]
        words = [word for setting in (*fixed, *settings) for word in ("--set", setting)]
        code = run(["train", "--config", str(CONFIG), "--experiment", "x", "--quiet", *words])
        found = diagnose(tmp_path / "x").alerts
        return code, {alert.kind: alert for alert in found if alert.severity != "info"}

    return trained


def test_a_far_too_high_rate_runs_away(train: Train, recordings: Path) -> None:
    code, alerts = train(recordings, "training.optimizer.learning_rate=10", "training.epochs=1")
    assert code == 1
    found = alerts.get("non_finite") or alerts["explosion"]
    assert found.severity == "critical"
    assert "lower training.optimizer.learning_rate from 10 to 1" in (found.advice or "")


@pytest.mark.slow
def test_the_shipped_settings_raise_no_warning(train: Train, recordings: Path) -> None:
    code, alerts = train(recordings)
    assert code == 0
    assert alerts == {}


@pytest.mark.slow
def test_shuffled_labels_stall_their_task(train: Train, recordings: Path, tmp_path: Path) -> None:
    from neuroprism.abr.store import load_recordings

    right = load_recordings(recordings)
    classes = np.random.default_rng(0).permutation(right.hearing_class)
    save_recordings(tmp_path / "shuffled.npz", replace(right, hearing_class=classes))
    code, alerts = train(tmp_path / "shuffled.npz")
    assert code == 0
    assert alerts["task_stall"].component == "classification"
    assert "targets" in (alerts["task_stall"].advice or "")


@pytest.mark.slow
def test_a_component_scaled_by_a_hundred_dominates(train: Train, recordings: Path) -> None:
    code, alerts = train(recordings, "loss.weights.threshold=100")
    assert code == 0
    assert alerts["dominance"].component == "threshold"
    assert "loss.weights" in (alerts["dominance"].advice or "")
