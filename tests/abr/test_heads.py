"""The heads read places in standardised latency and bound what they predict."""

from __future__ import annotations

import math

import pytest
import torch

from neuroprism.abr.diffusion import fixed_noise
from neuroprism.abr.heads import LatencyPrior, TaskHeads, TaskPrediction
from neuroprism.abr.model_config import HeadsConfig


def heads(*, mean: float = 0.6, sd: float = 0.1, **options: float) -> TaskHeads:
    config = HeadsConfig.model_validate({"hidden_dim": 8, "dropout": 0.0} | options)
    return TaskHeads(6, 6, 4, n_classes=5, latency=LatencyPrior(mean, sd), config=config)


def predict(module: TaskHeads, features: torch.Tensor, *, valid_share: float = 1.0) -> TaskPrediction:
    n = features.shape[0]
    return module(features, torch.zeros(n, 3, 6), torch.zeros(n, 4), valid_share=valid_share)


def test_latency_is_read_from_the_place_of_a_feature() -> None:
    module, features = heads(), torch.zeros(3, 64, 6)
    with torch.no_grad():
        module.locate.score.weight[0, 0] = 50.0
    places = torch.tensor([20, 40, 50])
    features[torch.arange(3), places, 0] = 1.0
    expected = ((places + 0.5) / 64 - 0.6) / 0.1
    assert torch.allclose(predict(module, features).latency_mean, expected, atol=1e-4)


def test_padding_is_never_the_place_of_a_peak() -> None:
    module, features = heads(mean=0.95), torch.zeros(1, 64, 6)
    with torch.no_grad():
        module.locate.score.weight[0, 0] = 50.0
    features[0, 60, 0] = 1.0
    latest = (50 - 0.5) / 50
    found = float(predict(module, features, valid_share=50 / 64).latency_mean.detach())
    assert found <= (latest - 0.95) / 0.1 + 1e-5


def test_scales_and_the_latency_correction_are_bounded() -> None:
    module = heads(min_scale=0.05, max_latency_shift=0.7)
    features = fixed_noise((32, 64, 6), 0)
    start = predict(module, features).latency_mean.detach()
    with torch.no_grad():
        for head in (module.peak, module.threshold):
            head.out.bias.fill_(-1e4)
    low = predict(module, features)
    with torch.no_grad():
        for head in (module.peak, module.threshold):
            head.out.bias.fill_(1e4)
    high = predict(module, features)
    for name in ("latency_scale", "amplitude_scale", "threshold_scale"):
        assert torch.allclose(getattr(low, name), torch.full((32,), 0.05)), name
        assert torch.isfinite(getattr(high, name)).all(), name
    assert torch.allclose(low.latency_mean, start - 0.7, atol=1e-5)
    assert torch.allclose(high.latency_mean, start + 0.7, atol=1e-5)


@pytest.mark.parametrize(("mean", "sd"), [(0.5, 0.0), (math.nan, 0.1), (0.5, math.inf)])
def test_impossible_priors_are_refused(mean: float, sd: float) -> None:
    with pytest.raises(ValueError, match="latency prior"):
        LatencyPrior(mean, sd)
