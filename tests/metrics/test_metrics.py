"""Metrics against scikit-learn, over any prediction."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from neuroprism.metrics import balanced_accuracy, binary_f1, macro_f1, mae, r2, roc_auc

N_CLASSES = 4
labels = st.lists(
    st.tuples(st.integers(0, N_CLASSES - 1), st.integers(0, N_CLASSES - 1)), min_size=2, max_size=40
)
numbers = st.lists(
    st.tuples(st.floats(-50, 50, width=32), st.floats(-50, 50, width=32)), min_size=2, max_size=40
)


@settings(deadline=None)
@given(labels)
def test_class_metrics_equal_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    target, predicted = np.array(pairs).T
    present = np.isin(np.arange(N_CLASSES), target)
    recall = oracle.recall_score(
        target, predicted, labels=np.arange(N_CLASSES)[present], average="macro", zero_division=0
    )
    assert balanced_accuracy(torch.tensor(predicted), torch.tensor(target), N_CLASSES) == pytest.approx(
        recall, abs=1e-6
    )
    f1 = oracle.f1_score(target, predicted, average="macro", zero_division=0)
    assert macro_f1(torch.tensor(predicted), torch.tensor(target), N_CLASSES) == pytest.approx(f1, abs=1e-6)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1, width=32), st.booleans()), min_size=2, max_size=40))
def test_binary_metrics_equal_scikit_learn(pairs: list[tuple[float, bool]]) -> None:
    probability = np.array([p for p, _ in pairs], dtype=np.float32)
    target = np.array([t for _, t in pairs], dtype=int)
    f1 = oracle.f1_score(target, probability > 0.5, zero_division=0)
    assert binary_f1(torch.tensor(probability), torch.tensor(target)) == pytest.approx(f1, abs=1e-6)
    area = roc_auc(torch.tensor(probability), torch.tensor(target))
    if target.min() == target.max():
        assert area is None
    else:
        assert area == pytest.approx(oracle.roc_auc_score(target, probability), abs=1e-6)


@settings(deadline=None)
@given(numbers)
def test_numeric_metrics_equal_scikit_learn(pairs: list[tuple[float, float]]) -> None:
    target, predicted = np.array(pairs).T
    assert mae(torch.tensor(predicted), torch.tensor(target)) == pytest.approx(
        oracle.mean_absolute_error(target, predicted), abs=1e-6
    )
    value = r2(torch.tensor(predicted), torch.tensor(target))
    if np.all(target == target[0]):
        assert value is None
    elif np.ptp(target) > 1e-3:
        assert value == pytest.approx(oracle.r2_score(target, predicted), rel=1e-6, abs=1e-6)


def test_nothing_to_measure_is_none() -> None:
    empty = torch.zeros(0)
    assert mae(empty, empty) is None
    assert r2(empty, empty) is None
