from __future__ import annotations

from dataclasses import replace

import numpy as np

from neuroprism.abr.answers import Answers
from neuroprism.abr.evaluation.comparison import NETWORK, compare, is_better, select
from neuroprism.abr.evaluation.groups import by_groups
from neuroprism.abr.evaluation.metrics import METRICS, by_name
from neuroprism.abr.recordings import AbrRecordings


def worse(answers: Answers) -> Answers:
    """Return answers with larger latency errors."""
    rng = np.random.default_rng(1)
    assert answers.latency_ms is not None
    return replace(answers, latency_ms=answers.latency_ms + rng.normal(0, 0.3, len(answers.latency_ms)))


def test_every_metric_stands_beside_every_method(few_answers: Answers, small_set: AbrRecordings) -> None:
    rows = compare({NETWORK: few_answers, "other": worse(few_answers)}, small_set)
    assert [row.name for row in rows] == [metric.name for metric in METRICS]
    for row in rows:
        assert set(row.scores) == {NETWORK, "other"}
        expected = row.scores[NETWORK].value - row.scores["other"].value
        assert row.network_minus["other"].value == expected


def test_a_clear_difference_is_told_from_none(answers: Answers, balanced_set: AbrRecordings) -> None:
    methods = {NETWORK: answers, "same": answers, "worse": worse(answers)}
    (row,) = compare(methods, balanced_set, [by_name("latency_mae_ms")])
    assert is_better(row, "worse") is True
    assert is_better(row, "same") is None
    (turned,) = compare(
        {NETWORK: worse(answers), "better": answers}, balanced_set, [by_name("latency_mae_ms")]
    )
    assert is_better(turned, "better") is False


def test_the_difference_of_paired_errors_is_sharper_than_two_intervals(
    answers: Answers, balanced_set: AbrRecordings
) -> None:
    assert answers.threshold_db_nhl is not None
    slightly = replace(answers, threshold_db_nhl=answers.threshold_db_nhl * 1.01)
    (row,) = compare({NETWORK: answers, "slightly": slightly}, balanced_set, [by_name("threshold_mae_db")])
    difference, single = row.network_minus["slightly"], row.scores[NETWORK]
    assert difference.high - difference.low < 0.5 * (single.high - single.low)


def test_groups_are_parts_of_the_whole(answers: Answers, balanced_set: AbrRecordings) -> None:
    groups = by_groups({NETWORK: answers}, balanced_set)
    for by in ("level", "class", "age"):
        assert sum(group.n for group in groups if group.by == by) == len(balanced_set)
    (whole,) = compare({NETWORK: answers}, balanced_set, [by_name("latency_mae_ms")])
    parts = [
        row.scores[NETWORK]
        for group in groups
        if group.by == "level"
        for row in group.metrics
        if row.name == "latency_mae_ms"
    ]
    mean = sum(part.value * part.n for part in parts) / sum(part.n for part in parts)
    np.testing.assert_allclose(mean, whole.scores[NETWORK].value)


def test_selected_answers_stay_with_their_recordings(answers: Answers, balanced_set: AbrRecordings) -> None:
    rows = np.array([5, 3])
    part = select(replace(answers, v_present=None), rows)
    assert part.v_present is None
    np.testing.assert_array_equal(part.latency_ms, answers.latency_ms[rows])
