"""Metrics against scikit-learn, and on which recordings they are measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics as oracle

from neuroprism.abr.answers import Answers
from neuroprism.abr.evaluation.metrics import HEADLINES, METRICS, by_name
from neuroprism.abr.evaluation.samples import class_answers, labelled, truth
from neuroprism.abr.evaluation.score import score
from neuroprism.abr.recordings import AbrRecordings


def value(name: str, answers: Answers, recordings: AbrRecordings) -> float:
    measured = by_name(name).measure(answers, recordings)
    assert measured is not None
    found = score(measured.statistic, measured.patients)
    assert found is not None
    assert found.low is not None
    assert found.low <= found.value <= found.high
    return found.value


def test_presence_as_scikit_learn(answers: Answers, balanced_set: AbrRecordings) -> None:
    rows = balanced_set.v_mask
    there, found = balanced_set.v_present[rows], answers.v_present[rows]
    assert value("v_roc_auc", answers, balanced_set) == pytest.approx(
        oracle.roc_auc_score(there, answers.v_score[rows])
    )
    assert value("v_f1", answers, balanced_set) == pytest.approx(oracle.f1_score(there, found))
    assert value("v_sensitivity", answers, balanced_set) == pytest.approx(oracle.recall_score(there, found))
    assert value("v_specificity", answers, balanced_set) == pytest.approx(oracle.recall_score(~there, ~found))


def test_classes_as_scikit_learn(answers: Answers, balanced_set: AbrRecordings) -> None:
    true, probability = balanced_set.hearing_class, answers.class_probability
    chosen = probability.argmax(axis=1)
    expected = {
        "class_balanced_accuracy": oracle.balanced_accuracy_score(true, chosen),
        "class_macro_f1": oracle.f1_score(true, chosen, average="macro"),
        "class_roc_auc": oracle.roc_auc_score(true, probability, multi_class="ovr", average="macro"),
    }
    for name, number in expected.items():
        assert value(name, answers, balanced_set) == pytest.approx(number), name


@pytest.mark.parametrize(
    ("quantity", "mae", "r2"),
    [
        ("latency_ms", "latency_mae_ms", "latency_r2"),
        ("amplitude_uv", "amplitude_mae_uv", "amplitude_r2"),
        ("threshold_db_nhl", "threshold_mae_db", "threshold_r2"),
        ("ear_threshold_db_nhl", "ear_threshold_mae_db", "ear_threshold_r2"),
    ],
)
def test_errors_as_scikit_learn(
    quantity: str, mae: str, r2: str, answers: Answers, balanced_set: AbrRecordings
) -> None:
    rows = labelled(balanced_set, quantity)
    true, given = truth(balanced_set, quantity)[rows], getattr(answers, quantity)[rows]
    assert value(mae, answers, balanced_set) == pytest.approx(oracle.mean_absolute_error(true, given))
    assert value(r2, answers, balanced_set) == pytest.approx(oracle.r2_score(true, given))


def test_shares_and_bias(answers: Answers, balanced_set: AbrRecordings) -> None:
    rows = labelled(balanced_set, "latency_ms")
    error = (answers.latency_ms - balanced_set.v_latency_ms)[rows]
    near = np.abs(error) <= 0.2
    assert value("latency_bias_ms", answers, balanced_set) == pytest.approx(error.mean(), abs=1e-6)
    assert value("latency_within_0.2_ms", answers, balanced_set) == pytest.approx(near.mean())
    found = near & answers.v_present[rows]
    assert value("v_found_within_0.2_ms", answers, balanced_set) == pytest.approx(found.mean())


def test_an_error_at_the_limit_counts_as_within(small_set: AbrRecordings) -> None:
    exact = Answers(threshold_db_nhl=small_set.threshold_db_nhl + 5.0)
    assert value("threshold_within_5_db", exact, small_set) == 1.0


def test_only_measured_thresholds_have_errors(balanced_set: AbrRecordings) -> None:
    rows = labelled(balanced_set, "threshold_db_nhl")
    assert balanced_set.threshold_censored.any()
    assert not balanced_set.threshold_censored[rows].any()


def test_an_ear_counts_once_and_needs_two_levels(balanced_set: AbrRecordings) -> None:
    rows = labelled(balanced_set, "ear_threshold_db_nhl")
    ears = balanced_set.ear_id[rows]
    assert len(set(ears)) == len(ears)
    for ear in np.unique(balanced_set.ear_id):
        levels = np.unique(balanced_set.level_db_nhl[balanced_set.ear_id == ear])
        censored = balanced_set.threshold_censored[balanced_set.ear_id == ear].any()
        assert (ear in ears) == (len(levels) > 1 and not censored)


def test_the_class_of_an_ear_weighs_all_its_recordings(small_set: AbrRecordings) -> None:
    ear = small_set.ear_id[0]
    members = np.flatnonzero(small_set.ear_id == ear)
    assert len(members) > 2
    # One recording is sure of class 0; the others lean to class 1, together more than that.
    probability = np.tile([0.1, 0.6, 0.1, 0.1, 0.1], (len(small_set), 1))
    probability[members[0]] = [0.4, 0.3, 0.1, 0.1, 0.1]
    rows, of_ear = class_answers(probability, small_set, of_ear=True)
    place = next(k for k, row in enumerate(rows) if small_set.ear_id[row] == ear)
    assert of_ear[place].argmax() == 1
    np.testing.assert_allclose(of_ear.sum(axis=1), 1.0)
    assert len(rows) == len(np.unique(small_set.ear_id))


def test_what_is_not_answered_is_not_measured(small_set: AbrRecordings) -> None:
    assert all(metric.measure(Answers(), small_set) is None for metric in METRICS)


def test_what_has_no_label_is_not_measured(answers: Answers, balanced_set: AbrRecordings) -> None:
    n = len(balanced_set)
    nothing = replace(
        balanced_set,
        v_marked=np.zeros(n, dtype=np.bool_),
        v_present=np.zeros(n, dtype=np.bool_),
        hearing_class=np.full(n, -1, dtype=np.int64),
        threshold_db_nhl=np.full(n, np.nan, dtype=np.float32),
    )
    assert all(metric.measure(answers, nothing) is None for metric in METRICS)


def test_metrics_are_named_once_and_headlines_exist() -> None:
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
    assert set(HEADLINES) == {metric.task for metric in METRICS}
    assert all(by_name(name).task == task for task, name in HEADLINES.items())
