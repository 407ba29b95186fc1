"""Results without looking at the windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neuroprism.eeg.baselines.chance import chance_metrics, constant_output
from neuroprism.eeg.baselines.split_windows import SplitWindows


def test_binary_chance_knows_nothing(planted: Callable[..., Any]) -> None:
    store = planted("binary")
    val = SplitWindows(store, "val")
    share = (val.y == 1).mean()
    found = chance_metrics(store.spec, SplitWindows(store, "train").y, val)
    assert found["balanced_accuracy"] == pytest.approx(0.5)
    assert found["roc_auc"] == pytest.approx(0.5)
    assert found["pr_auc_trapezoid"] == found["average_precision"] == pytest.approx(share)


@pytest.mark.parametrize("kind", ["multiclass", "sequence"])
def test_multiclass_chance_is_the_majority(kind: str, planted: Callable[..., Any]) -> None:
    store = planted(kind)
    y = np.array([2, 2, 1])
    assert constant_output(store.spec, y).tolist() == [0, 0, 1]
    found = chance_metrics(store.spec, y, SplitWindows(store, "val"))
    assert found["balanced_accuracy"] == pytest.approx(1 / 3)
    assert found["kappa"] == pytest.approx(0)
    assert found["recall/class 2"] == 1
    assert found["recall/class 0"] == 0


def test_regression_chance_is_the_training_mean(planted: Callable[..., Any]) -> None:
    store = planted("regression")
    val = SplitWindows(store, "val")
    found = chance_metrics(store.spec, np.array([0.2, 0.4], dtype=np.float32), val)
    assert set(found) == {"r2", "rmse"}
    assert found["rmse"] == pytest.approx(float(np.sqrt(((val.y - 0.3) ** 2).mean())), rel=1e-5)
    assert found["r2"] <= 0
