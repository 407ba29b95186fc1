"""Baselines learn planted rhythms, are chosen on validation and see the test windows once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from neuroprism.core.errors import DataError, UnknownNameError
from neuroprism.eeg.baselines import METHODS, BaselineResult, run_baselines, split_windows
from neuroprism.eeg.baselines.band_power import log_band_power

KINDS = ["multiclass", "binary", "regression", "sequence"]
LINEAR = ["band_power", "riemann", "riemann_aligned"]


@pytest.mark.parametrize("kind", KINDS)
def test_planted_rhythms_are_found(kind: str, planted: Callable[..., Any]) -> None:
    store = planted(kind)
    results = {r.method: r for r in run_baselines(store, list(METHODS), seed=1)}
    criterion = store.spec.criterion
    chance = results["chance"]
    for name in LINEAR:
        found = results[name]
        assert found.val[criterion] > 0.5, name
        assert found.test[criterion] > chance.test.get(criterion, 0) + 0.3, name
        assert set(found.per_subject) == {"s6", "s7"}
        assert set(found.intervals) == set(found.val_intervals) == set(store.spec.metrics)
        for metric, (low, high) in found.intervals.items():
            assert low - 1e-9 <= found.test[metric] <= high + 1e-9
        assert found.transductive == (name == "riemann_aligned")
        assert any("transductive" in note for note in found.notes) == found.transductive
    assert results["band_power"].n_features == 4 * 6
    assert results["riemann"].n_features == 4 * 5 // 2
    assert chance.chosen is None
    assert chance.intervals == {}


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_the_candidate_with_the_best_validation_criterion_is_chosen(
    kind: str, planted: Callable[..., Any]
) -> None:
    store = planted(kind, strength=1.0)
    (result,) = run_baselines(store, ["band_power"])
    assert result.parameter == ("alpha" if kind == "regression" else "C")
    assert len(result.tried) > 2
    best = max(result.tried, key=lambda tried: tried.criterion)
    assert (result.chosen, result.val[store.spec.criterion]) == (best.value, best.criterion)


def test_of_equal_candidates_the_most_regularised_is_chosen(planted: Callable[..., Any]) -> None:
    (result,) = run_baselines(planted("binary", strength=60.0), ["band_power"])
    assert {tried.criterion for tried in result.tried} == {1.0}
    assert result.chosen == result.tried[0].value == 1e-3


@pytest.mark.parametrize("method", LINEAR)
def test_test_windows_are_read_once_and_last(method: str, planted: Callable[..., Any]) -> None:
    store = planted("binary")
    run_baselines(store, [method])
    read = np.concatenate(store.reads)
    test = store.indices("test")
    np.testing.assert_array_equal(read[-len(test) :], test)
    assert sorted(read.tolist()) == list(range(len(store.labels)))


@pytest.mark.parametrize("method", LINEAR)
def test_test_windows_have_no_influence_on_the_choice(method: str, planted: Callable[..., Any]) -> None:
    store, other = planted("binary", strength=1.0), planted("binary", strength=1.0)
    rows = store.indices("test")
    other.values[rows] = np.random.default_rng(5).normal(size=other.values[rows].shape)
    other.labels[rows] = 1 - other.labels[rows]
    (first,), (second,) = run_baselines(store, [method]), run_baselines(other, [method])
    assert (first.chosen, first.tried, first.val) == (second.chosen, second.tried, second.val)
    assert first.test != second.test


def test_two_runs_are_equal(planted: Callable[..., Any]) -> None:
    def without_time(results: list[BaselineResult]) -> list[BaselineResult]:
        return [msgspec.structs.replace(result, seconds=0.0) for result in results]

    store = planted("multiclass", strength=2.0)
    assert without_time(run_baselines(store, seed=3)) == without_time(run_baselines(store, seed=3))


def test_without_test_windows_there_are_no_test_results(planted: Callable[..., Any]) -> None:
    for result in run_baselines(planted("binary", empty="test")):
        assert result.val
        assert result.test == {}
        assert result.intervals == {}
        assert result.per_subject == {}
        assert any("no window belongs to the test split" in note for note in result.notes)


@pytest.mark.parametrize("split", ["train", "val"])
def test_nothing_to_train_on_or_to_choose_by_is_refused(split: str, planted: Callable[..., Any]) -> None:
    with pytest.raises(DataError, match=f"no window belongs to the split '{split}'"):
        run_baselines(planted("binary", empty=split))


def test_a_criterion_that_validation_does_not_define_is_refused(planted: Callable[..., Any]) -> None:
    store = planted("binary")
    store.labels[store.indices("val")] = 1
    with pytest.raises(DataError, match="roc_auc is undefined on the validation split"):
        run_baselines(store, ["band_power"])


def test_an_unknown_method_names_the_nearest(planted: Callable[..., Any]) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'riemann'"):
        run_baselines(planted("binary"), ["rieman"])


@pytest.mark.parametrize("kind", ["binary", "sequence"])
def test_features_are_those_of_each_window_in_order(
    kind: str, planted: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = planted(kind)
    windows = store.values[store.indices("val")].reshape(-1, 4, 400)
    # Five samples at a time leave a shorter last batch.
    monkeypatch.setattr(split_windows, "_BATCH_BYTES", 5 * store.values[0].nbytes)
    val = split_windows.SplitWindows(store, "val")
    assert len(val.y) == len(val.subjects) == len(windows)
    np.testing.assert_allclose(val.compute(log_band_power, "test"), log_band_power(windows), rtol=1e-6)
    assert {len(rows) for rows in store.reads} == {5, 4}
