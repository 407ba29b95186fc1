"""Metrics of a whole split, however it was cut into batches."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle
from torch import Tensor

from neuroprism.core.errors import DataError
from neuroprism.eeg.pooled_predictions import PooledPredictions
from neuroprism.eeg.spec import DatasetSpec

SpecMaker = Callable[..., DatasetSpec]
N = 24
SUBJECTS = np.array([f"s{k // 6}" for k in range(40)])


def _data(kind: str, seed: int) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    if kind == "multiclass":
        return torch.randn(N, 3, generator=g), torch.randint(3, (N,), generator=g)
    if kind == "binary":
        return torch.randn(N, generator=g), torch.randint(2, (N,), generator=g)
    if kind == "regression":
        y = torch.rand(N, generator=g)
        return y + 0.3 * torch.randn(N, generator=g), y
    return torch.randn(N, 4, 3, generator=g), torch.randint(3, (N, 4), generator=g)


def _spec(kind: str, make_spec: SpecMaker) -> DatasetSpec:
    if kind == "sequence":
        return make_spec(task="multiclass", sequence_length=4)
    return make_spec(task=kind)


def _pool(spec: DatasetSpec, outputs: Tensor, y: Tensor, sizes: list[int]) -> PooledPredictions:
    pooled = PooledPredictions(spec)
    index = torch.arange(len(y)) + 3
    for rows in torch.split(torch.arange(len(y)), sizes):
        pooled.add(outputs[rows], y[rows], index[rows])
    return pooled


@pytest.mark.parametrize("kind", ["multiclass", "binary", "regression", "sequence"])
@settings(deadline=None, max_examples=15)
@given(cuts=st.sets(st.integers(1, N - 1)), seed=st.integers(0, 1000))
def test_the_batches_do_not_matter(kind: str, make_spec: SpecMaker, cuts: set[int], seed: int) -> None:
    spec = _spec(kind, make_spec)
    outputs, y = _data(kind, seed)
    edges = [0, *sorted(cuts), N]
    whole = _pool(spec, outputs, y, [N])
    parts = _pool(spec, outputs, y, [b - a for a, b in pairwise(edges)])
    single = _pool(spec, outputs, y, [1] * N)
    for other in (parts, single):
        assert other.metrics() == whole.metrics()
        assert other.confusion_matrix() == whole.confusion_matrix()
        assert other.per_subject(SUBJECTS) == whole.per_subject(SUBJECTS)


def test_multiclass_metrics_are_those_of_scikit_learn(make_spec: SpecMaker) -> None:
    spec = make_spec(task="multiclass")
    outputs, y = _data("multiclass", 1)
    pooled = _pool(spec, outputs, y, [5, 19])
    found, predicted = pooled.metrics(), outputs.argmax(1)
    assert set(found) == set(PooledPredictions.metric_names(spec))
    assert found["balanced_accuracy"] == pytest.approx(oracle.balanced_accuracy_score(y, predicted))
    assert found["kappa"] == pytest.approx(oracle.cohen_kappa_score(y, predicted))
    assert found["f1"] == pytest.approx(oracle.f1_score(y, predicted, average="weighted"))
    assert found["recall/class 1"] == pytest.approx(oracle.recall_score(y, predicted, average=None)[1])
    assert pooled.confusion_matrix() == oracle.confusion_matrix(y, predicted).tolist()


def test_binary_metrics_are_those_of_scikit_learn(make_spec: SpecMaker) -> None:
    spec = make_spec(task="binary")
    outputs, y = _data("binary", 2)
    pooled = _pool(spec, outputs, y, [N])
    found, probability = pooled.metrics(), outputs.sigmoid().double()
    assert set(found) == set(PooledPredictions.metric_names(spec))
    assert found["balanced_accuracy"] == pytest.approx(oracle.balanced_accuracy_score(y, probability > 0.5))
    assert found["roc_auc"] == pytest.approx(oracle.roc_auc_score(y, probability), abs=1e-6)
    precision, recall, _ = oracle.precision_recall_curve(y, probability)
    assert found["pr_auc_trapezoid"] == pytest.approx(oracle.auc(recall, precision), abs=1e-6)
    expected = oracle.average_precision_score(y, probability)
    assert found["average_precision"] == pytest.approx(expected, abs=1e-6)
    assert pooled.confusion_matrix() == oracle.confusion_matrix(y, probability > 0.5).tolist()


def test_regression_has_its_three_metrics_and_no_confusion(make_spec: SpecMaker) -> None:
    spec = make_spec(task="regression")
    outputs, y = _data("regression", 3)
    pooled = _pool(spec, outputs, y, [N])
    found = pooled.metrics()
    assert tuple(found) == spec.metrics
    assert found["r2"] == pytest.approx(oracle.r2_score(y, outputs), abs=1e-6)
    assert found["rmse"] == pytest.approx(oracle.root_mean_squared_error(y, outputs), abs=1e-6)
    assert pooled.confusion_matrix() is None


def test_a_probability_of_exactly_one_half_is_the_first_class(make_spec: SpecMaker) -> None:
    pooled = _pool(make_spec(task="binary"), torch.tensor([0.0, 1e-6]), torch.tensor([0, 1]), [2])
    assert pooled.confusion_matrix() == [[1, 0], [0, 1]]


def test_strong_logits_keep_their_order(make_spec: SpecMaker) -> None:
    """In float32 their probabilities would all be 1."""
    pooled = _pool(
        make_spec(task="binary"), torch.tensor([20.0, 21.0, 22.0, 23.0]), torch.tensor([0, 0, 1, 1]), [4]
    )
    assert pooled.metrics()["roc_auc"] == pytest.approx(1.0)


@pytest.mark.parametrize("kind", ["multiclass", "binary", "regression", "sequence"])
def test_every_window_has_a_row_in_its_order(kind: str, make_spec: SpecMaker) -> None:
    outputs, y = _data(kind, 0)
    found = _pool(_spec(kind, make_spec), outputs, y, [5, N - 5]).predictions()
    assert found.index.tolist() == (np.arange(N) + 3).repeat(y[0].numel()).tolist()
    np.testing.assert_array_equal(found.y, y.flatten())
    np.testing.assert_array_equal(found.outputs, outputs.double().flatten(0, y.ndim - 1))


def test_undefined_metrics_are_absent(make_spec: SpecMaker) -> None:
    one_class = _pool(make_spec(task="binary"), torch.tensor([0.3]), torch.tensor([1]), [1])
    assert one_class.metrics() == {"balanced_accuracy": 1.0, "recall/class 1": 1.0}
    constant = _pool(make_spec(task="regression"), torch.zeros(3), torch.tensor([0.1, 0.2, 0.3]), [3])
    assert set(constant.metrics()) == {"r2", "rmse"}
    empty = PooledPredictions(make_spec(task="multiclass"))
    assert empty.metrics() == {}
    assert empty.confusion_matrix() is None
    assert empty.per_subject(SUBJECTS) == {}
    assert empty.intervals(SUBJECTS, seed=0) == {}


@pytest.mark.parametrize("kind", ["multiclass", "binary", "regression"])
def test_predictions_that_are_no_numbers_have_no_metrics(kind: str, make_spec: SpecMaker) -> None:
    spec = _spec(kind, make_spec)
    outputs, y = _data(kind, 4)
    outputs[7] = torch.nan
    pooled = _pool(spec, outputs, y, [N])
    assert pooled.metrics() == {}
    assert pooled.confusion_matrix() is None
    assert pooled.intervals(SUBJECTS, seed=0) == {}
    by_subject = pooled.per_subject(SUBJECTS)
    assert by_subject["s1"] == {}
    assert by_subject["s3"]


def test_subjects_are_those_of_the_samples(make_spec: SpecMaker) -> None:
    spec = make_spec(task="multiclass", sequence_length=4)
    outputs, y = _data("sequence", 5)
    by_subject = _pool(spec, outputs, y, [7, 17]).per_subject(SUBJECTS)
    assert list(by_subject) == ["s0", "s1", "s2", "s3", "s4"]
    # Sample k is window k + 3 of the store, and subjects have six windows each.
    expected = oracle.balanced_accuracy_score(y[3:9].flatten(), outputs[3:9].argmax(-1).flatten())
    assert by_subject["s1"]["balanced_accuracy"] == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["multiclass", "binary", "regression", "sequence"])
def test_intervals_hold_the_value_and_are_reproducible(kind: str, make_spec: SpecMaker) -> None:
    spec = _spec(kind, make_spec)
    outputs, y = _data(kind, 6)
    pooled = _pool(spec, outputs, y, [N])
    intervals, found = pooled.intervals(SUBJECTS, seed=1), pooled.metrics()
    assert tuple(intervals) == spec.metrics
    for name, (low, high) in intervals.items():
        assert low - 1e-9 <= found[name] <= high + 1e-9, name
        assert low < high
    assert pooled.intervals(SUBJECTS, seed=1) == intervals
    assert pooled.intervals(np.array(["only"] * 40), seed=1) == {}


def test_outputs_of_another_shape_are_refused(make_spec: SpecMaker) -> None:
    pooled = PooledPredictions(make_spec("Sleep", task="multiclass"))
    with pytest.raises(DataError, match=r"Sleep: outputs of shape \(4, 2\) .* asks for \(4, 3\)"):
        pooled.add(torch.zeros(4, 2), torch.zeros(4, dtype=torch.long), torch.arange(4))
    binary = PooledPredictions(make_spec(task="binary"))
    with pytest.raises(DataError, match="outputs of shape"):
        binary.add(torch.zeros(4, 1), torch.zeros(4, dtype=torch.long), torch.arange(4))
