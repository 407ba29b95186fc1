"""Intervals by the bootstrap over subjects and by Student's t."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as oracle

from neuroprism.metrics import Interval, cluster_bootstrap, confusion, ranking, resampling, t_interval
from neuroprism.metrics.intervals import Statistic

N_CLASSES = 3


def _trapezoid(target: np.ndarray, score: np.ndarray) -> float:
    precision, recall, _ = oracle.precision_recall_curve(target, score)
    return float(oracle.auc(recall, precision))


def _weighted_f1(target: np.ndarray, predicted: np.ndarray) -> float:
    return oracle.f1_score(target, predicted, average="weighted", zero_division=0)


def _macro_f1(target: np.ndarray, predicted: np.ndarray) -> float:
    return oracle.f1_score(target, predicted, average="macro", zero_division=0)


def _balanced_accuracy(target: np.ndarray, predicted: np.ndarray) -> float:
    return oracle.recall_score(target, predicted, labels=np.unique(target), average="macro", zero_division=0)


def _statistics(
    rng: np.random.Generator, groups: np.ndarray
) -> dict[str, tuple[Statistic, Callable[[np.ndarray], float]]]:
    """Each statistic beside scikit-learn's value of a list of samples with repeats."""
    n = len(groups)
    target, predicted = rng.integers(0, N_CLASSES, size=(2, n))
    binary, score = rng.integers(0, 2, n), rng.integers(0, 9, n) / 8
    x, y = rng.normal(size=(2, n)) + 7
    found: dict[str, tuple[Statistic, Callable[[np.ndarray], float]]] = {}
    for name, formula, reference in (
        ("balanced_accuracy", confusion.balanced_accuracy, _balanced_accuracy),
        ("kappa", confusion.kappa, oracle.cohen_kappa_score),
        ("weighted_f1", confusion.weighted_f1, _weighted_f1),
        ("macro_f1", confusion.macro_f1, _macro_f1),
    ):
        statistic = resampling.of_counts(formula, predicted, target, groups, N_CLASSES)
        found[name] = statistic, lambda rows, f=reference: f(target[rows], predicted[rows])
    for name, area, reference in (
        ("roc", ranking.roc_area, oracle.roc_auc_score),
        ("pr", ranking.pr_area, _trapezoid),
        ("precision", ranking.average_precision, oracle.average_precision_score),
    ):
        statistic = resampling.of_ranking(area, score, binary, groups)
        found[name] = statistic, lambda rows, f=reference: f(binary[rows], score[rows])
    for name, make, reference in (
        ("r", resampling.pearson, lambda t, p: stats.pearsonr(t, p)[0]),
        ("r2", resampling.determination, oracle.r2_score),
        ("rmse", resampling.root_mean_square_error, oracle.root_mean_squared_error),
    ):
        found[name] = make(x, y, groups), lambda rows, f=reference: f(y[rows], x[rows])
    return found


@settings(deadline=None, max_examples=12)
@given(st.integers(0, 10_000), st.integers(2, 5))
def test_statistics_equal_scikit_learn_on_the_samples_drawn(seed: int, n_groups: int) -> None:
    rng = np.random.default_rng(seed)
    # Groups of 12 samples hold both classes and some variation nearly always.
    groups = rng.permutation(np.repeat([f"s{k}" for k in range(n_groups)], 12))
    draws = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=6).astype(float)
    repeats = draws[:, np.unique(groups, return_inverse=True)[1]].astype(int)
    for name, (statistic, reference) in _statistics(rng, groups).items():
        values = statistic(draws)
        for value, times in zip(values, repeats, strict=True):
            expected = reference(np.repeat(np.arange(len(groups)), times))
            assert value == pytest.approx(expected, abs=1e-9), name


def test_what_a_resample_leaves_undefined_is_nan() -> None:
    groups = np.array(["a", "a", "b", "b"])
    draws = np.array([[2.0, 0.0], [0.0, 2.0]])
    score, target = np.array([0.1, 0.9, 0.2, 0.8]), np.array([1, 1, 0, 1])
    for area in (ranking.roc_area, ranking.pr_area):
        values = resampling.of_ranking(area, score, target, groups)(draws)
        assert np.isnan(values[0])
        assert values[1] == pytest.approx(1.0)
    agreement = resampling.of_counts(confusion.kappa, target, target, groups, 2)(draws)
    assert np.isnan(agreement[0])
    assert agreement[1] == pytest.approx(1.0)
    y = np.array([2.0, 2.0, 1.0, 4.0])
    for make in (resampling.pearson, resampling.determination):
        values = make(score, y, groups)(draws)
        assert np.isnan(values[0])
        assert np.isfinite(values[1])


def test_ranking_in_blocks_equals_ranking_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    groups, score, target = np.repeat(["a", "b", "c"], 20), rng.random(60), rng.integers(0, 2, 60)
    draws = rng.multinomial(3, [1 / 3] * 3, size=10).astype(float)
    whole = resampling.of_ranking(ranking.roc_area, score, target, groups)(draws)
    monkeypatch.setattr(resampling, "_BLOCK_VALUES", 130)
    np.testing.assert_array_equal(
        resampling.of_ranking(ranking.roc_area, score, target, groups)(draws), whole
    )


def test_the_bootstrap_covers_the_mean_of_a_population_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for trial in range(200):
        of_subject = rng.normal(size=20)
        groups = np.repeat([f"s{k:02d}" for k in range(20)], 5)

        def mean(draws: np.ndarray, values: np.ndarray = of_subject) -> np.ndarray:
            return draws @ values / draws.sum(axis=1)

        interval = cluster_bootstrap(mean, groups, n_resamples=400, seed=trial)
        assert interval is not None
        covered += interval.low <= 0 <= interval.high
    assert 0.86 <= covered / 200 <= 0.99


def test_bootstrap_is_reproducible_and_needs_two_subjects() -> None:
    groups = np.repeat(["a", "b", "c"], 4)

    def statistic(draws: np.ndarray) -> np.ndarray:
        return draws @ np.array([0.1, 0.5, 0.7]) / draws.sum(axis=1)

    first = cluster_bootstrap(statistic, groups, seed=5)
    assert first == cluster_bootstrap(statistic, groups, seed=5)
    assert first is not None
    assert first.low == pytest.approx(0.1)
    wide = cluster_bootstrap(statistic, groups, seed=5, level=0.99)
    assert wide is not None
    assert wide.low <= first.low < first.high <= wide.high
    assert cluster_bootstrap(statistic, np.repeat(["a"], 9), seed=5) is None


def test_a_statistic_that_is_mostly_undefined_has_no_interval() -> None:
    groups = np.repeat(["a", "b"], 3)
    for share, has_interval in ((0.4, False), (0.6, True)):

        def statistic(draws: np.ndarray, share: float = share) -> np.ndarray:
            values = np.full(len(draws), np.nan)
            values[: int(share * len(draws))] = 0.5
            return values

        assert (cluster_bootstrap(statistic, groups, seed=0) is not None) == has_interval


def test_two_thousand_resamples_of_thousands_of_windows_take_less_than_two_seconds() -> None:
    rng = np.random.default_rng(2)
    n = 4000
    groups = np.repeat([f"s{k:02d}" for k in range(40)], n // 40)
    start = time.process_time()
    score, target = rng.random(n), rng.integers(0, 2, n)
    for area in (ranking.roc_area, ranking.pr_area):
        assert cluster_bootstrap(resampling.of_ranking(area, score, target, groups), groups, seed=0)
    assert time.process_time() - start < 2


def test_t_interval_equals_scipy() -> None:
    values = [0.61, 0.64, 0.58, 0.66, 0.60]
    expected = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
    assert t_interval(values) == pytest.approx(Interval(*map(float, expected)))
    assert t_interval([0.5]) is None
    assert t_interval([0.5, 0.5]) == Interval(0.5, 0.5)
