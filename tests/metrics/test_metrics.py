"""Metrics against scikit-learn, over any prediction."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as oracle

from neuroprism import metrics

N_CLASSES = 4
labels = st.lists(
    st.tuples(st.integers(0, N_CLASSES - 1), st.integers(0, N_CLASSES - 1)), min_size=1, max_size=40
)
# Few distinct scores, so that ties are common.
scores = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=40)
# A spread of 1e-3 at least: below, scikit-learn and exact arithmetic differ by rounding.
numbers = st.lists(
    st.tuples(st.integers(-50_000, 50_000), st.integers(-50_000, 50_000)), min_size=1, max_size=40
)


def quietly(value: Callable[[], Any]) -> Any:
    """Ask scikit-learn without its warnings about absent classes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return value()


@settings(deadline=None)
@given(labels)
def test_class_metrics_equal_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    target, predicted = np.array(pairs).T
    given_, all_ = (torch.tensor(predicted), torch.tensor(target), N_CLASSES), list(range(N_CLASSES))
    counts = oracle.confusion_matrix(target, predicted, labels=all_)
    assert metrics.confusion_matrix(*given_) == counts.tolist()
    recall = quietly(lambda: oracle.balanced_accuracy_score(target, predicted))
    assert metrics.balanced_accuracy(*given_) == pytest.approx(recall, abs=1e-6)
    for name, function in (("macro", metrics.macro_f1), ("weighted", metrics.weighted_f1)):
        f1 = oracle.f1_score(target, predicted, average=name, zero_division=0)
        assert function(*given_) == pytest.approx(f1, abs=1e-6), name
    by_class = oracle.recall_score(target, predicted, labels=all_, average=None, zero_division=np.nan)
    for mine, theirs in zip(metrics.recall_per_class(*given_), by_class, strict=True):
        assert mine is None if np.isnan(theirs) else mine == pytest.approx(theirs, abs=1e-6)
    agreement = metrics.kappa(*given_)
    if len(set(target) | set(predicted)) == 1:
        assert agreement is None
    else:
        assert agreement == pytest.approx(oracle.cohen_kappa_score(target, predicted), abs=1e-6)


@settings(deadline=None)
@given(scores)
def test_binary_metrics_equal_scikit_learn(pairs: list[tuple[int, bool]]) -> None:
    probability = np.array([p / 6 for p, _ in pairs], dtype=np.float32)
    target = np.array([t for _, t in pairs], dtype=int)
    given_ = torch.tensor(probability), torch.tensor(target)
    f1 = metrics.binary_f1(*given_)
    if not target.any() and not (probability > 0.5).any():
        assert f1 is None
    else:
        assert f1 == pytest.approx(oracle.f1_score(target, probability > 0.5, zero_division=0), abs=1e-6)
    areas = {
        "roc_auc": oracle.roc_auc_score,
        "pr_auc": _trapezoid,
        "average_precision": oracle.average_precision_score,
    }
    for name, reference in areas.items():
        area = getattr(metrics, name)(*given_)
        if target.min() == target.max():
            assert area is None, name
        else:
            assert area == pytest.approx(reference(target, probability), abs=1e-6), name


def _trapezoid(target: np.ndarray, probability: np.ndarray) -> float:
    precision, recall, _ = oracle.precision_recall_curve(target, probability)
    return float(oracle.auc(recall, precision))


def test_areas_of_many_samples_equal_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    target = (rng.random(40_000) < 0.03).astype(int)
    probability = 1 / (1 + np.exp(-rng.normal(size=40_000) - target + 3)).astype(np.float32)
    given_ = torch.tensor(probability), torch.tensor(target)
    assert metrics.roc_auc(*given_) == pytest.approx(oracle.roc_auc_score(target, probability), abs=1e-6)
    assert metrics.pr_auc(*given_) == pytest.approx(_trapezoid(target, probability), abs=1e-6)
    precision = oracle.average_precision_score(target, probability)
    assert metrics.average_precision(*given_) == pytest.approx(precision, abs=1e-6)


@settings(deadline=None)
@given(numbers)
def test_numeric_metrics_equal_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    target, predicted = np.array(pairs, dtype=np.float32).T / np.float32(1000)
    given_ = torch.tensor(predicted), torch.tensor(target)
    exact = target.astype(np.float64), predicted.astype(np.float64)
    assert metrics.mae(*given_) == pytest.approx(oracle.mean_absolute_error(*exact), abs=1e-6)
    assert metrics.rmse(*given_) == pytest.approx(oracle.root_mean_squared_error(*exact), abs=1e-6)
    r2, r = metrics.r2(*given_), metrics.pearson_r(*given_)
    if np.all(target == target[0]):
        assert r2 is None
        assert r is None
        return
    assert r2 == pytest.approx(oracle.r2_score(*exact), rel=1e-6, abs=1e-6)
    if np.all(predicted == predicted[0]):
        assert r is None
    else:
        assert r == pytest.approx(stats.pearsonr(*exact)[0], abs=1e-6)


def test_a_perfect_order_has_an_area_of_exactly_one() -> None:
    score = torch.linspace(0, 1, 50)
    target = (score > 0.5).long()
    for area in (metrics.roc_auc, metrics.pr_auc, metrics.average_precision):
        assert area(score, target) == 1.0
    assert metrics.roc_auc(-score, target) == 0.0


def test_correlation_of_a_tiny_variation_is_not_lost() -> None:
    target = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
    assert metrics.pearson_r(1 + 1e-12 * target, target) == pytest.approx(1, abs=1e-3)
    assert metrics.pearson_r(-1e-200 * target, target) == pytest.approx(-1)


def test_nothing_to_measure_is_none() -> None:
    empty, no_classes = torch.zeros(0), torch.zeros(0, dtype=torch.long)
    for name in ("mae", "rmse", "r2", "pearson_r"):
        assert getattr(metrics, name)(empty, empty) is None, name
    for name in ("binary_f1", "roc_auc", "pr_auc", "average_precision"):
        assert getattr(metrics, name)(empty, no_classes) is None, name
    for name in ("balanced_accuracy", "kappa", "macro_f1", "weighted_f1"):
        assert getattr(metrics, name)(no_classes, no_classes, 3) is None, name
    assert metrics.recall_per_class(no_classes, no_classes, 2) == [None, None]
    assert metrics.confusion_matrix(no_classes, no_classes, 2) == [[0, 0], [0, 0]]


def test_scores_that_are_no_numbers_have_no_order() -> None:
    score, target = torch.tensor([0.1, torch.nan, 0.9]), torch.tensor([0, 1, 1])
    for area in (metrics.roc_auc, metrics.pr_auc, metrics.average_precision):
        assert area(score, target) is None


def test_a_constant_prediction_of_two_classes() -> None:
    target = torch.tensor([0, 0, 0, 1])
    constant = torch.full((4,), 0.25)
    assert metrics.roc_auc(constant, target) == pytest.approx(0.5)
    # The documented area is generous to a prediction that says nothing.
    assert metrics.pr_auc(constant, target) == pytest.approx((1 + 0.25) / 2)
    assert metrics.average_precision(constant, target) == pytest.approx(0.25)
    assert metrics.kappa(torch.zeros(4, dtype=torch.long), target, 2) == pytest.approx(0)
