"""Copies of training recordings are found; recordings of new patients are not taken for copies."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from neuroprism.abr.evaluation.generation import neighbours
from neuroprism.abr.evaluation.generation.generated_set import GeneratedSet
from neuroprism.abr.evaluation.generation.memorisation import Memorisation, judge_memorisation
from neuroprism.abr.evaluation.generation.neighbours import two_nearest
from neuroprism.abr.predictions import AbrPredictions
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.simulate import SimulationConfig, simulate

N = 300
RNG = np.random.default_rng(1)


@pytest.fixture(scope="module")
def fresh() -> AbrRecordings:
    others = simulate(SimulationConfig(n_patients=40, preset="balanced", seed=77))
    return others.select(RNG.permutation(len(others))[:N])


def judge(
    signal_uv: NDArray[np.float32],
    training: AbrRecordings,
    test: AbrRecordings,
    clean_uv: NDArray[np.float32] | None = None,
) -> Memorisation:
    rows = RNG.permutation(len(test))[: len(signal_uv)]
    made = GeneratedSet(
        recordings=replace(test.select(rows), signal_uv=signal_uv, clean_uv=clean_uv),
        predictions=cast("AbrPredictions", None),
        rows=rows,
        patients=test.patient_id[rows],
    )
    return judge_memorisation(made, training, test, seed=0)


def noisy_copies(training: AbrRecordings, n: int, noise_sd: float) -> NDArray[np.float32]:
    rows = RNG.permutation(len(training))[:n]
    noise = noise_sd * training.signal_uv.std() * RNG.standard_normal((n, training.n_times))
    return (training.signal_uv[rows] + noise).astype(np.float32)


@pytest.mark.parametrize("noise_sd", [0.0, 1e-3, 0.1])
def test_a_generator_that_returns_training_recordings(
    training: AbrRecordings, test_set: AbrRecordings, noise_sd: float
) -> None:
    found = judge(noisy_copies(training, N, noise_sd), training, test_set)
    assert found.copying
    assert found.exact_copies == (N if noise_sd == 0 else 0)
    assert found.share_in_singleness_tail is not None
    assert found.share_in_singleness_tail.value > 0.5
    assert found.singleness_roc_auc is not None
    assert found.singleness_roc_auc.value > 0.9
    assert found.distance_ratio is not None
    assert found.distance_ratio.value < 0.5


def test_one_copy_in_ten_is_enough(
    training: AbrRecordings, test_set: AbrRecordings, fresh: AbrRecordings
) -> None:
    signal = fresh.signal_uv.copy()
    signal[: N // 10] = noisy_copies(training, N // 10, 0.01)
    found = judge(signal, training, test_set)
    assert found.copying
    assert found.share_in_singleness_tail is not None
    assert found.share_in_singleness_tail.value == pytest.approx(0.1, abs=0.03)


def test_recordings_of_new_patients_are_no_copies(
    training: AbrRecordings, test_set: AbrRecordings, fresh: AbrRecordings
) -> None:
    found = judge(fresh.signal_uv, training, test_set)
    assert not found.copying
    assert found.exact_copies == 0
    for area in (found.distance_roc_auc, found.singleness_roc_auc):
        assert area is not None
        assert area.value == pytest.approx(0.5, abs=0.08)
    assert found.share_in_distance_tail is not None
    assert found.share_in_distance_tail.low is not None
    assert found.share_in_distance_tail.low <= 0.01


def test_small_smooth_traces_are_near_without_being_copies(
    training: AbrRecordings, test_set: AbrRecordings, fresh: AbrRecordings
) -> None:
    found = judge(0.2 * fresh.signal_uv, training, test_set)
    assert found.distance_ratio is not None
    assert found.distance_ratio.value < 0.8
    assert found.share_in_distance_tail is not None
    assert found.share_in_distance_tail.value > 0.05
    assert not found.copying


def test_distances_are_those_of_all_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_BLOCK", 7)
    among = RNG.standard_normal((50, 30)).astype(np.float32)
    traces = np.concatenate([RNG.standard_normal((20, 30)).astype(np.float32), among[:1]])
    every = np.sqrt(np.square(traces[:, None].astype(np.float64) - among[None]).mean(axis=2)) / 2.0
    found = two_nearest(traces, among, sd=2.0)
    np.testing.assert_allclose(found, np.sort(every, axis=1)[:, :2], rtol=1e-12)
    assert found[-1, 0] == 0.0


def with_noise(clean_uv: NDArray[np.float32]) -> NDArray[np.float32]:
    return (clean_uv + RNG.normal(0, 0.05, clean_uv.shape)).astype(np.float32)


def test_copied_responses_are_found_behind_their_noise(
    training: AbrRecordings, test_set: AbrRecordings
) -> None:
    assert training.clean_uv is not None
    heard = np.flatnonzero(training.v_present)
    copies = training.clean_uv[RNG.permutation(heard)[:N]]
    found = judge(with_noise(copies), training, test_set, clean_uv=copies)
    assert found.copying
    assert found.exact_copies == found.n_generated > 0.9 * N
    # Recordings with the noise that was added say nothing.
    assert judge(with_noise(copies), training, test_set).exact_copies == 0


def test_fresh_responses_are_no_copies_and_silence_is_none(
    training: AbrRecordings, test_set: AbrRecordings, fresh: AbrRecordings
) -> None:
    assert fresh.clean_uv is not None
    found = judge(with_noise(fresh.clean_uv), training, test_set, clean_uv=fresh.clean_uv)
    assert not found.copying
    assert found.exact_copies == 0
    assert found.n_generated < N
    assert found.n_training < len(training)
