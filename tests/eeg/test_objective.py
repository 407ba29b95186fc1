"""The loss of an EEG task, its baseline and its floor."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from neuroprism.eeg.objective import EegObjective, smoothing_floor
from neuroprism.eeg.spec import DatasetSpec, Preprocessing
from neuroprism.eeg.split_rules import BySubjectNumber


def declare(task: str, n_classes: int) -> DatasetSpec:
    return DatasetSpec(
        name="Made",
        title="made",
        task=task,  # type: ignore[arg-type]
        class_names=tuple(f"class {k}" for k in range(n_classes)),
        channels=("Fz", "Cz"),
        source_rates_hz=(200.0,),
        n_patches=2,
        preprocessing=Preprocessing(),
        label_rule="none",
        split=BySubjectNumber(range(2), range(2, 3), range(3, 4)),
        expected={},
        n_subjects=4,
        raw_layout="none",
        access="none",
        licence="none",
        citation="none",
        source="none",
    )


@pytest.mark.parametrize(("n_classes", "floor"), [(4, 0.3488), (5, 0.3897), (6, 0.4210), (9, 0.4848)])
def test_the_floor_of_label_smoothing(n_classes: int, floor: float) -> None:
    assert smoothing_floor(n_classes, 0.1) == pytest.approx(floor, abs=5e-5)


def test_no_logits_undercut_the_floor() -> None:
    objective = EegObjective(declare("multiclass", 4), label_smoothing=0.1)
    logits = torch.zeros(1, 4, requires_grad=True)
    y = torch.tensor([2])
    optimizer = torch.optim.LBFGS([logits], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = objective(logits, y)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    floor = objective.component(np.arange(4), np.arange(4)).lower_bound
    assert floor is not None
    assert float(objective(logits, y).detach()) == pytest.approx(floor, abs=1e-5)
    assert float(objective(logits, y).detach()) >= floor - 1e-6


def test_the_baseline_is_the_loss_of_the_prior() -> None:
    rng = np.random.default_rng(0)
    train, val = rng.integers(0, 3, 400), rng.integers(0, 3, 90)
    component = EegObjective(declare("multiclass", 3), label_smoothing=0.0).component(train, val)
    prior = (np.bincount(train, minlength=3) + 1) / (len(train) + 3)
    assert component.baseline == pytest.approx(log_loss(val, np.tile(prior, (90, 1)), labels=[0, 1, 2]))
    assert component.lower_bound is None
    smoothed = EegObjective(declare("multiclass", 3), label_smoothing=0.1)
    logits = torch.log(torch.tensor(prior)).expand(90, 3)
    expected = float(smoothed(logits, torch.from_numpy(val)))
    assert smoothed.component(train, val).baseline == pytest.approx(expected)


def test_binary_and_regression_baselines() -> None:
    binary = EegObjective(declare("binary", 2), label_smoothing=0.1)
    train, val = np.array([0, 0, 0, 1] * 50), np.array([0, 1] * 10)
    p = 51 / 202
    logit = torch.full((20,), math.log(p / (1 - p)), dtype=torch.float64)
    assert binary.component(train, val).baseline == pytest.approx(float(binary(logit, torch.from_numpy(val))))
    assert binary.component(train, val).lower_bound is None
    regression = EegObjective(declare("regression", 0), label_smoothing=0.1)
    train_y, val_y = np.array([0.1, 0.3], np.float32), np.array([0.0, 1.0], np.float32)
    assert regression.component(train_y, val_y).baseline == pytest.approx((0.2**2 + 0.8**2) / 2)


def test_sequences_count_every_epoch() -> None:
    objective = EegObjective(declare("multiclass", 5), label_smoothing=0.1)
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 7, 5, generator=generator)
    y = torch.randint(0, 5, (3, 7), generator=generator)
    expected = torch.nn.functional.cross_entropy(logits.transpose(1, 2), y, label_smoothing=0.1)
    torch.testing.assert_close(objective(logits, y), expected)
