"""The best constant predictor of each component costs 1, for every option."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from abr.loss_cases import OPTIONS, setup, some_labels
from neuroprism.abr.heads import TaskPrediction
from neuroprism.abr.loss_baselines import balanced_class_weights, baselines
from neuroprism.abr.loss_config import LossConfig
from neuroprism.abr.loss_reference import LossReference
from neuroprism.abr.losses import COMPONENTS


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_constant_predictor_costs_one_on_training_labels(options: dict[str, Any]) -> None:
    labels = some_labels()
    found = baselines(labels, labels, LossConfig.model_validate(options), n_classes=5)
    assert list(found) == list(COMPONENTS)
    assert found == pytest.approx(dict.fromkeys(COMPONENTS, 1.0), abs=1e-6)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_no_other_constant_is_better(options: dict[str, Any]) -> None:
    labels = some_labels(500)
    module = setup(labels, **options)
    rng = np.random.default_rng(3)
    likelihood_only = {"gaussian_nll"}
    for _ in range(20):
        moved = {
            name: tuple(v + 0.05 * rng.standard_normal() for v in value)
            for name, value in module.reference.predictors.items()
        }
        for name in COMPONENTS:
            form = getattr(getattr(module.config, name, None), "type", "")
            # beta-NLL has no value that is minimised: its weight is a constant to the gradient.
            if name == "signal" or (form.endswith("nll") and form not in likelihood_only):
                continue
            changed = module.reference.predictors | {name: moved[name]}
            prediction = constant(changed, len(labels.latency))
            assert float(module.tasks(prediction, labels).values[name]) > 1 - 1e-6, name


def constant(predictors: dict[str, tuple[float, ...]], n: int) -> TaskPrediction:
    def column(name: str, i: int) -> torch.Tensor:
        return torch.full((n,), predictors[name][i], dtype=torch.float64)

    return TaskPrediction(
        column("peak_exist", 0),
        column("peak_latency", 0),
        column("peak_latency", 1),
        column("peak_amplitude", 0),
        column("peak_amplitude", 1),
        torch.tensor(predictors["classification"], dtype=torch.float64).expand(n, -1),
        column("threshold", 0),
        column("threshold", 1),
    )


def test_standardised_likelihood_is_offset_by_one_half() -> None:
    labels = some_labels()
    everything = torch.ones_like(labels.latency_mask)
    module = setup(replace(labels, latency_mask=everything))
    assert module.reference.constants["peak_latency"] == pytest.approx(0.5, abs=1e-6)
    assert module.reference.predictors["peak_latency"] == pytest.approx((0.0, 1.0), abs=1e-6)


def test_huber_constants_of_normal_labels() -> None:
    z = torch.tensor(stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000), dtype=torch.float32)
    base = some_labels(20_000)
    labels = replace(base, latency=z, latency_mask=torch.ones_like(base.latency_mask))
    for delta, expected in ((1.0, 0.425), (0.5, 0.290)):
        module = setup(labels, peak_latency={"type": "huber", "delta": delta})
        assert module.reference.constants["peak_latency"] == pytest.approx(expected, abs=1e-3)


def test_focal_constants_of_the_published_class_shares() -> None:
    shares = np.array([41391, 417, 5513, 1715, 2925])
    labels = some_labels(int(shares.sum()))
    labels.hearing_class = torch.tensor(np.repeat(np.arange(5), shares))

    def reference(gamma: float, class_weights: str = "none") -> LossReference:
        focal = {"use_focal": True, "gamma": gamma}
        return setup(labels, class_weights=class_weights, focal_loss=focal).reference

    found = reference(2.5)
    assert 0.75 * found.constants["classification"] == pytest.approx(0.247, abs=1e-3)
    best = torch.softmax(torch.tensor(found.predictors["classification"]), dim=-1)
    assert best.tolist() == pytest.approx([0.555, 0.017, 0.220, 0.077, 0.131], abs=2e-3)
    assert reference(2.0).constants["classification"] == pytest.approx(0.378, abs=1e-3)
    balanced = reference(2.5, "balanced").constants["classification"]
    assert 0.75 * balanced == pytest.approx(0.691, abs=1e-3)


def test_a_class_without_labels_has_no_weight() -> None:
    weights = balanced_class_weights(torch.tensor([0, 0, 0, 2, -1]), 4)
    assert weights == pytest.approx((4 / (2 * 3), 0.0, 4 / (2 * 1), 0.0))
    labels = some_labels()
    labels.hearing_class = labels.hearing_class.clamp(max=1)
    found = setup(labels).reference
    assert found.constants["classification"] == pytest.approx(math.log(2), rel=1e-6)
    assert found.class_weights[2:] == (0.0, 0.0, 0.0)


def test_losses_of_the_first_step_are_bounded() -> None:
    labels = some_labels()
    n = len(labels.latency)
    zero, one = torch.zeros(n), torch.ones(n)
    start = TaskPrediction(zero, zero, one, zero, one, torch.zeros(n, 5), zero, one)
    for options in OPTIONS:
        values = setup(labels, **options).tasks(start, labels).values
        assert all(0.5 < float(value) < 3 for value in values.values()), options


def test_reference_survives_a_checkpoint() -> None:
    reference = setup().reference
    assert LossReference.from_dict(reference.to_dict()) == reference


def test_baselines_on_other_labels_come_from_training_labels() -> None:
    train, other = some_labels(), some_labels(2000, seed=5)
    other.latency = other.latency + 2.0
    other.amplitude_mask = torch.zeros_like(other.amplitude_mask)
    found = baselines(train, other, LossConfig(), n_classes=5, signal=0.8)
    assert found["signal"] == 0.8
    assert found["peak_latency"] == pytest.approx(3.0, abs=0.15)
    assert "peak_amplitude" not in found
