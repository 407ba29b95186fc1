"""The six components against torch, scipy and scikit-learn; every weight and option acts."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import optimize, stats
from sklearn.metrics import log_loss
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional

from abr.loss_cases import OPTIONS, REGRESSIONS, setup, some_labels
from neuroprism.abr.heads import TaskPrediction
from neuroprism.abr.loss_baselines import fit_reference
from neuroprism.abr.loss_config import LossConfig
from neuroprism.abr.losses import COMPONENTS, AbrLosses, cross_entropy, losses
from neuroprism.core import config as configuration
from neuroprism.core.errors import ConfigError


def some_prediction(n: int = 4000, *, seed: int = 1, scale: float = 1.0) -> TaskPrediction:
    generator = torch.Generator().manual_seed(seed)

    def column(*shape: int) -> torch.Tensor:
        return (scale * torch.randn(n, *shape, generator=generator)).requires_grad_()

    def positive() -> torch.Tensor:
        return (0.3 + torch.rand(n, generator=generator)).requires_grad_()

    return TaskPrediction(
        column(), column(), positive(), column(), positive(), column(5), column(), positive()
    )


@pytest.mark.parametrize("name", REGRESSIONS)
def test_losses_equal_torch_on_valid_elements(name: str) -> None:
    labels, prediction = some_labels(), some_prediction()
    short = name.removeprefix("peak_")
    mask = getattr(labels, f"{short}_mask")
    if name == "threshold":
        mask = mask & ~labels.threshold_censored
        labels = replace(labels, threshold_mask=mask)
    z, f = getattr(labels, short)[mask], getattr(prediction, f"{short}_mean")[mask]
    s = getattr(prediction, f"{short}_scale")[mask]
    oracles = {
        "gaussian_nll": functional.gaussian_nll_loss(f, z, s**2, eps=1e-12),
        "beta_nll": (s * functional.gaussian_nll_loss(f, z, s**2, eps=1e-12, reduction="none")).mean(),
        "huber": functional.huber_loss(f, z, delta=0.7),
        "smooth_l1": functional.smooth_l1_loss(f, z, beta=0.7),
        "mse": functional.mse_loss(f, z),
        "mae": functional.l1_loss(f, z),
    }
    assert set(oracles) == set(losses)
    extra = {"huber": {"delta": 0.7}, "smooth_l1": {"beta": 0.7}, "beta_nll": {"beta": 0.5}}
    for kind, oracle in oracles.items():
        module = setup(labels, **{name: {"type": kind} | extra.get(kind, {})})
        terms = module.tasks(prediction, labels)
        reference = module.reference.constants[name]
        expected = oracle + 1 - reference if kind.endswith("nll") else oracle / reference
        assert float(terms.values[name].detach()) == pytest.approx(float(expected.detach()), rel=1e-5), kind
        assert int(terms.counts[name]) == int(mask.sum())


def test_censored_threshold_is_the_tail_probability() -> None:
    labels, prediction = some_labels(), some_prediction()
    mask, censored = labels.threshold_mask, labels.threshold_censored
    z, f = labels.threshold.double().numpy(), prediction.threshold_mean.detach().double().numpy()
    s = prediction.threshold_scale.detach().double().numpy()
    density = -stats.norm.logpdf(z, f, s) - 0.5 * math.log(2 * math.pi)
    tail = -stats.norm.logsf(z, f, s)
    elements = np.where(censored.numpy(), tail, density)[mask.numpy()]
    module = setup(labels)
    value = module.tasks(prediction, labels).values["threshold"].detach()
    assert float(value) == pytest.approx(
        elements.mean() + 1 - module.reference.constants["threshold"], rel=1e-5
    )

    def cost(parameters: np.ndarray) -> float:
        mean, scale = parameters[0], math.exp(parameters[1])
        density = -stats.norm.logpdf(z, mean, scale) - 0.5 * math.log(2 * math.pi)
        found = np.where(censored.numpy(), -stats.norm.logsf(z, mean, scale), density)
        return float(found[mask.numpy()].mean())

    oracle = optimize.minimize(
        cost, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-12}
    )
    assert module.reference.constants["threshold"] == pytest.approx(oracle.fun, abs=1e-7)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-6)])
def test_tail_probability_and_its_slope_are_right_far_out(dtype: torch.dtype, tolerance: float) -> None:
    points = [-40.0, -20.5, -19.5, -5.0, 0.0, 3.0, 5.0]
    mean = torch.tensor(points, dtype=dtype, requires_grad=True)
    censored = torch.ones(len(points), dtype=torch.bool)
    options = LossConfig().threshold
    values = losses["gaussian_nll"](mean, torch.ones_like(mean), torch.zeros_like(mean), censored, options)
    values.sum().backward()
    assert mean.grad is not None
    assert values.tolist() == pytest.approx((-stats.norm.logcdf(points)).tolist(), rel=tolerance, abs=1e-9)
    slopes = np.exp(stats.norm.logpdf(points) - stats.norm.logcdf(points))
    assert (-mean.grad).tolist() == pytest.approx(slopes.tolist(), rel=1e-4, abs=1e-9)


@pytest.mark.parametrize("kind", ["huber", "smooth_l1", "mse", "mae"])
def test_point_losses_forgive_predictions_beyond_a_lower_bound(kind: str) -> None:
    options = LossConfig.model_validate({"threshold": {"type": kind}}).threshold
    mean = torch.tensor([0.0, 1.0, 3.0], requires_grad=True)
    target, censored = torch.full((3,), 2.0), torch.tensor([True, True, True])
    values = losses[kind](mean, torch.ones(3), target, censored, options)
    values.sum().backward()
    assert values[0] > values[1] > 0
    assert float(values[2].detach()) == 0
    assert mean.grad is not None
    assert (mean.grad[:2] < 0).all()
    assert float(mean.grad[2]) == 0


@pytest.mark.parametrize("weights", ["balanced", "none"])
def test_cross_entropy_equals_torch_and_scikit_learn(weights: str) -> None:
    labels, prediction = some_labels(), some_prediction()
    module = setup(labels, class_weights=weights)
    value = float(module.tasks(prediction, labels).values["classification"].detach())
    y = labels.hearing_class.numpy()
    oracle_weights = compute_class_weight("balanced", classes=np.arange(5), y=y)
    sample = oracle_weights[y] if weights == "balanced" else np.ones(len(y))
    p = torch.softmax(prediction.class_logits.detach().double(), dim=-1).numpy()
    expected = log_loss(y, p, sample_weight=sample) * sample.mean()
    if weights == "balanced":
        assert module.reference.class_weights == pytest.approx(tuple(oracle_weights))
        unit = math.log(5)
    else:
        counts = np.bincount(y) / len(y)
        unit = float(stats.entropy(counts))
    assert module.reference.constants["classification"] == pytest.approx(unit, rel=1e-6)
    assert value == pytest.approx(expected / unit, rel=1e-5)


def test_focal_factor_counts_easy_samples_less() -> None:
    logits, target, ones = torch.tensor([[4.0, 0.0], [0.0, 4.0]]), torch.tensor([0, 0]), torch.ones(2)
    plain = cross_entropy(logits, target, ones, None)
    p = torch.softmax(logits, dim=-1)[:, 0]
    for gamma in (0.0, 0.5, 2.0):
        assert torch.allclose(cross_entropy(logits, target, ones, gamma), plain * (1 - p) ** gamma, atol=1e-6)


def test_presence_equals_scikit_learn() -> None:
    labels, prediction = some_labels(), some_prediction()
    mask = labels.v_mask.numpy()
    y, p = (
        labels.v_present.numpy()[mask],
        torch.sigmoid(prediction.peak_logit.detach().double()).numpy()[mask],
    )
    unit = float(stats.entropy([y.mean(), 1 - y.mean()]))
    value = setup(labels).tasks(prediction, labels).values["peak_exist"].detach()
    assert float(value) == pytest.approx(log_loss(y, p) / unit, rel=1e-5)


@pytest.mark.parametrize("component", list(COMPONENTS)[1:])
@pytest.mark.parametrize("kind", list(losses))
def test_a_batch_without_labels_costs_nothing_and_moves_nothing(component: str, kind: str) -> None:
    module = setup(**{name: {"type": kind} for name in REGRESSIONS})
    labels, prediction = some_labels(16), some_prediction(16)
    nothing = torch.zeros(16, dtype=torch.bool)
    nan = torch.full((16,), math.nan)
    changes: dict[str, dict[str, torch.Tensor]] = {
        "classification": {"hearing_class": torch.full((16,), -1)},
        "peak_exist": {"v_mask": nothing, "v_present": nan},
        "peak_latency": {"latency_mask": nothing, "latency": nan},
        "peak_amplitude": {"amplitude_mask": nothing, "amplitude": nan},
        "threshold": {"threshold_mask": nothing, "threshold": nan},
    }
    terms = module.tasks(prediction, replace(labels, **changes[component]))
    assert float(terms.values[component].detach()) == 0.0
    assert int(terms.counts[component]) == 0
    terms.values[component].backward()
    for tensor in prediction:
        assert tensor.grad is None or (tensor.grad == 0).all()
    others = [name for name in terms.values if name != component]
    assert all(torch.isfinite(terms.values[name]) and int(terms.counts[name]) > 0 for name in others)


@pytest.mark.parametrize("kind", list(losses))
def test_extreme_predictions_stay_finite(kind: str) -> None:
    module = setup(
        **{name: {"type": kind} for name in REGRESSIONS}, focal_loss={"use_focal": True, "gamma": 0.5}
    )
    labels = some_labels(64)
    for size in (1e4, -1e4):
        prediction = TaskPrediction(
            *(
                (torch.full((64,), 0.05) if name.endswith("scale") else torch.full((64,), size))
                if name != "class_logits"
                else size * torch.eye(5)[torch.arange(64) % 5]
                for name in TaskPrediction._fields
            )
        )
        prediction = TaskPrediction(*(value.requires_grad_() for value in prediction))
        terms = module.tasks(prediction, labels)
        sum(terms.values.values()).backward()  # type: ignore[union-attr]
        assert all(torch.isfinite(value) for value in terms.values.values())
        assert all(value.grad is None or torch.isfinite(value.grad).all() for value in prediction)


def gradient_norms(terms: dict[str, torch.Tensor], weights: dict[str, float]) -> torch.Tensor:
    return sum((weights[name] * value for name, value in terms.items()), torch.zeros(()))


@pytest.mark.parametrize(
    "key", ["peak_exist", "peak_latency", "peak_amplitude", "classification", "threshold"]
)
def test_every_weight_scales_its_own_gradient_and_no_other(key: str) -> None:
    labels = some_labels(256)
    gradients = []
    for weight in (1.0, 3.0):
        config = LossConfig.model_validate({"weights": {key: weight}})
        prediction = some_prediction(256)
        values = (
            AbrLosses(config, fit_reference(config, labels, n_classes=5)).tasks(prediction, labels).values
        )
        gradient_norms(values, config.weights.by_component()).backward()
        gradients.append([value.grad for value in prediction])
    fields = {
        "peak_exist": {"peak_logit"},
        "peak_latency": {"latency_mean", "latency_scale"},
        "peak_amplitude": {"amplitude_mean", "amplitude_scale"},
        "classification": {"class_logits"},
        "threshold": {"threshold_mean", "threshold_scale"},
    }[key]
    for name, before, after in zip(TaskPrediction._fields, *gradients, strict=True):
        assert before is not None
        assert before.any()
        factor = 3.0 if name in fields else 1.0
        assert torch.allclose(after, factor * before, rtol=1e-5), name


@pytest.mark.parametrize("options", [option for option in OPTIONS if option != {}], ids=str)
def test_every_option_changes_the_gradient_of_its_component(options: dict[str, Any]) -> None:
    labels = some_labels(256)
    other = {name: {"type": "huber", "delta": 2.0} for name in REGRESSIONS} if _is_default(options) else {}
    results = []
    for chosen in (other, options):
        prediction = some_prediction(256, scale=2.0)
        sum(setup(labels, **chosen).tasks(prediction, labels).values.values()).backward()  # type: ignore[union-attr]
        results.append([torch.zeros(1) if v.grad is None else v.grad for v in prediction])
    changed = {
        name
        for name, a, b in zip(TaskPrediction._fields, *results, strict=True)
        if a.shape != b.shape or not torch.allclose(a, b, rtol=1e-3)
    }
    expected = {"classification": "class", "peak_latency": "latency", "peak_amplitude": "amplitude"}
    (key, *_) = options
    prefix = expected.get(key, "threshold" if key == "threshold" else "class")
    assert any(name.startswith(prefix) for name in changed)


def _is_default(options: dict[str, Any]) -> bool:
    return LossConfig.model_validate(options) == LossConfig()


def test_signal_is_the_weighted_mean_square() -> None:
    module, labels, prediction = setup(), some_labels(8), some_prediction(8)
    generator = torch.Generator().manual_seed(0)
    signal = torch.randn(8, 1, 30, generator=generator, requires_grad=True)
    target, weight = torch.randn(8, 1, 30, generator=generator), torch.rand(8, generator=generator)
    terms = module(signal, target, weight, prediction, labels)
    assert list(terms.values) == list(terms.counts) == list(COMPONENTS)
    expected = (weight.numpy() * ((signal - target).detach().numpy() ** 2).mean(axis=(1, 2))).mean()
    assert float(terms.values["signal"].detach()) == pytest.approx(float(expected), rel=1e-5)
    assert int(terms.counts["signal"]) == 8
    terms.values["signal"].backward()
    assert signal.grad is not None
    assert torch.allclose(
        signal.grad, (2 * weight.view(8, 1, 1) * (signal - target) / 240).detach(), atol=1e-7
    )
    config = LossConfig.model_validate({"weights": {"diffusion": 7.0}})
    assert config.weights.by_component()["signal"] == 7.0
    assert list(config.weights.by_component()) == list(COMPONENTS)


def test_half_precision_predictions_are_judged_in_float32() -> None:
    module, labels, prediction = setup(), some_labels(64), some_prediction(64)
    half = TaskPrediction(*(value.detach().bfloat16() for value in prediction))
    values = module.tasks(half, labels).values
    assert all(value.dtype == torch.float32 for value in values.values())


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("weights.threshold", -1, "weights.threshold"),
        ("peak_latency.delta", 0.5, "type 'gaussian_nll' does not read it"),
        ("peak_latency.type", "hubert", "did you mean 'huber'"),
        ("focal_loss.gamma", 2.0, "gamma is only read when use_focal is true"),
        ("focal_loss.use_focal", True, "use_focal needs gamma"),
        ("class_weights", "balance", "did you mean 'balanced'"),
    ],
)
def test_impossible_losses_are_refused_in_one_line(key: str, value: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        configuration.load(LossConfig, overrides=[(key, value, "--set")])
    assert "\n" not in str(caught.value)
