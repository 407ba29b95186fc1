"""Pooled losses and metrics against direct computation and scikit-learn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, f1_score, mean_absolute_error, r2_score, roc_auc_score

from neuroprism.abr import AbrScaler, SimulationConfig, simulate
from neuroprism.abr.dataset import AbrBatch, AbrDataset
from neuroprism.abr.heads import TaskPrediction
from neuroprism.abr.pooled import PooledResults, noise_level_metric
from neuroprism.train.task import LossTerms

N_LEVELS = 4


@pytest.fixture(scope="module")
def scaler_and_labels() -> tuple[AbrScaler, AbrBatch]:
    recordings = simulate(SimulationConfig(n_patients=15, seed=1))
    scaler = AbrScaler.fit(recordings)
    return scaler, AbrDataset(recordings, np.arange(len(recordings)), scaler).everything


def predictions(n: int) -> TaskPrediction:
    generator = torch.Generator().manual_seed(4)
    fields = {name: torch.randn(n, generator=generator) for name in TaskPrediction._fields}
    return TaskPrediction(**(fields | {"class_logits": torch.randn(n, 5, generator=generator)}))


def part(prediction: TaskPrediction, rows: torch.Tensor) -> TaskPrediction:
    return TaskPrediction(*(tensor[rows] for tensor in prediction))


def pool(scaler: AbrScaler, labels: AbrBatch, size: int) -> PooledResults:
    results = PooledResults(scaler)
    prediction = predictions(len(labels))
    t = torch.arange(len(labels)) % N_LEVELS
    errors = torch.linspace(0.0, 1.0, len(labels))
    for rows in torch.arange(len(labels)).split(size):
        values = {"signal": errors[rows].mean(), "threshold": errors[rows].mean()}
        counts: dict[str, Any] = {"signal": len(rows), "threshold": labels.threshold_mask[rows].sum()}
        results.add_losses(LossTerms(values=values, counts=counts), t[rows], errors[rows])
        results.add_predictions(part(prediction, rows), labels.select(rows))
    return results


def test_metrics_agree_with_scikit_learn(scaler_and_labels: tuple[AbrScaler, AbrBatch]) -> None:
    scaler, labels = scaler_and_labels
    found = pool(scaler, labels, 32).metrics()
    prediction = predictions(len(labels))
    true, guess = labels.hearing_class.numpy(), prediction.class_logits.argmax(1).numpy()
    asked = labels.v_mask.numpy()
    v_true, v_score = labels.v_present.numpy()[asked], torch.sigmoid(prediction.peak_logit).numpy()[asked]
    assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(true, guess))
    assert found["macro_f1"] == pytest.approx(f1_score(true, guess, average="macro"))
    assert found["v_f1"] == pytest.approx(f1_score(v_true, v_score > 0.5))
    assert found["v_roc_auc"] == pytest.approx(roc_auc_score(v_true, v_score))
    for metric, name, target in (
        ("latency_mae_ms", "latency", "latency_ms"),
        ("amplitude_mae_uv", "amplitude", "amplitude_uv"),
    ):
        mask, sd = getattr(labels, f"{name}_mask").numpy(), scaler.targets[target].sd
        pair = getattr(labels, name).numpy()[mask], getattr(prediction, f"{name}_mean").numpy()[mask]
        assert found[metric] == pytest.approx(sd * mean_absolute_error(*pair), rel=1e-5)


def test_threshold_counts_measured_ones_only_and_ends_at_the_highest_level(
    scaler_and_labels: tuple[AbrScaler, AbrBatch],
) -> None:
    scaler, labels = scaler_and_labels
    mask = (labels.threshold_mask & ~labels.threshold_censored).numpy()
    assert 0 < mask.sum() < len(mask)
    standard = scaler.targets["threshold_db_nhl"]
    top = scaler.condition_range["level_db_nhl"][1]
    true = standard.invert(labels.threshold.double().numpy()[mask])
    guess = standard.invert(predictions(len(labels)).threshold_mean.double().numpy()[mask])
    assert (guess > top).any()
    found = pool(scaler, labels, 50).metrics()
    assert found["threshold_mae_db"] == pytest.approx(
        mean_absolute_error(true, guess.clip(max=top)), rel=1e-5
    )
    assert found["threshold_r2"] == pytest.approx(r2_score(true, guess.clip(max=top)), rel=1e-4)


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_batches_do_not_matter(size: int, scaler_and_labels: tuple[AbrScaler, AbrBatch]) -> None:
    whole, parts = (pool(*scaler_and_labels, n) for n in (10_000, size))
    assert parts.metrics() == pytest.approx(whole.metrics(), rel=1e-6)
    assert parts.losses()["signal"] == pytest.approx(whole.losses()["signal"], rel=1e-6)


def test_loss_is_weighted_by_valid_elements(scaler_and_labels: tuple[AbrScaler, AbrBatch]) -> None:
    results = PooledResults(scaler_and_labels[0])
    for value, count in ((1.0, 3), (5.0, 1), (100.0, 0)):
        terms = LossTerms(
            values={"peak_latency": torch.tensor(value), "threshold": torch.tensor(value)},
            counts={"peak_latency": torch.tensor(count), "threshold": torch.tensor(0)},
        )
        results.add_losses(terms, torch.zeros(1), torch.zeros(1))
    assert results.losses() == {"peak_latency": 2.0}


def test_error_of_each_noise_level(scaler_and_labels: tuple[AbrScaler, AbrBatch]) -> None:
    labels = scaler_and_labels[1]
    found = pool(*scaler_and_labels, 13).metrics()
    errors = np.linspace(0.0, 1.0, len(labels))
    for t in range(N_LEVELS):
        assert found[noise_level_metric(t)] == pytest.approx(errors[t::N_LEVELS].mean(), rel=1e-5)
    assert set(found) == set(PooledResults.metric_names(range(N_LEVELS)))


def test_metrics_that_do_not_apply_are_left_out(scaler_and_labels: tuple[AbrScaler, AbrBatch]) -> None:
    scaler, labels = scaler_and_labels
    rows = torch.nonzero(labels.v_present == 0)[:, 0][:5]
    results = PooledResults(scaler)
    chosen = labels.select(rows)
    prediction = part(predictions(len(labels)), rows)
    results.add_losses(LossTerms(values={}, counts={}), torch.zeros(5).long(), torch.zeros(5))
    results.add_predictions(prediction, chosen)
    found = results.metrics()
    assert not {"latency_mae_ms", "amplitude_mae_uv", "v_roc_auc"} & set(found)
    assert "balanced_accuracy" in found


def test_recordings_without_a_known_class_do_not_count(scaler_and_labels: tuple[AbrScaler, AbrBatch]) -> None:
    scaler, labels = scaler_and_labels
    known = torch.arange(len(labels)) % 3 > 0
    partly = replace(labels, hearing_class=torch.where(known, labels.hearing_class, -1))
    found, guess = pool(scaler, partly, 32).metrics(), predictions(len(labels)).class_logits.argmax(1)
    true = labels.hearing_class[known].numpy()
    assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(true, guess[known].numpy()))
    nowhere = replace(labels, hearing_class=torch.full_like(labels.hearing_class, -1))
    assert "balanced_accuracy" not in pool(scaler, nowhere, 32).metrics()
