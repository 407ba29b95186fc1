"""Recordings to learn from and to test on, and answers of a made-up method."""

from __future__ import annotations

import numpy as np
import pytest

from neuroprism.abr import split_by_patient
from neuroprism.abr.answers import Answers
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.splits import SplitConfig


def noisy_answers(recordings: AbrRecordings, *, seed: int) -> Answers:
    """Return answers that are often, not always, near the truth."""
    rng = np.random.default_rng(seed)
    n, n_classes = len(recordings), len(recordings.class_names)
    score = 1 / (1 + np.exp(-(2.0 * recordings.v_present - 1.0 + rng.normal(0, 1.5, n))))
    logits = 1.5 * np.eye(n_classes)[recordings.hearing_class] + rng.normal(0, 1, (n, n_classes))
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    _, ear = np.unique(recordings.ear_id, return_inverse=True)
    return Answers(
        v_score=score,
        v_present=score >= 0.5,
        latency_ms=np.nan_to_num(recordings.v_latency_ms.astype(np.float64), nan=7.0) + rng.normal(0, 0.2, n),
        amplitude_uv=np.nan_to_num(recordings.v_amplitude_uv.astype(np.float64), nan=0.2)
        + rng.normal(0, 0.05, n),
        class_probability=probability,
        threshold_db_nhl=recordings.threshold_db_nhl + rng.normal(0, 8, n),
        ear_threshold_db_nhl=recordings.threshold_db_nhl + rng.normal(0, 5, ear.max() + 1)[ear],
    )


@pytest.fixture(scope="session")
def answers(balanced_set: AbrRecordings) -> Answers:
    return noisy_answers(balanced_set, seed=0)


@pytest.fixture(scope="session")
def few_answers(small_set: AbrRecordings) -> Answers:
    return noisy_answers(small_set, seed=1)


@pytest.fixture(scope="session")
def training(balanced_set: AbrRecordings) -> AbrRecordings:
    return balanced_set.select(split_by_patient(balanced_set, SplitConfig()).train)


@pytest.fixture(scope="session")
def test_set(balanced_set: AbrRecordings) -> AbrRecordings:
    split = split_by_patient(balanced_set, SplitConfig())
    return balanced_set.select(np.concatenate([split.val, split.test]))
