"""The configurations in `configs/` load, and hold what their comments say."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
import torch

from neuroprism.abr.config import AbrConfig
from neuroprism.abr.heads import LatencyPrior
from neuroprism.abr.model import build_model
from neuroprism.abr.model_config import ModelConfig
from neuroprism.core.config import load
from neuroprism.eeg.config import EegConfig

PRIOR = LatencyPrior(mean=0.6, sd=0.1)


def shipped(repository: Path, name: str) -> AbrConfig:
    return load(AbrConfig, file=repository / "configs" / name)


def test_all_shipped_configurations_load(repository: Path) -> None:
    names = {path.name for path in (repository / "configs").glob("*.yaml")}
    assert names == {"config.yaml", "abr_large.yaml", "eeg.yaml"}
    for name in names - {"eeg.yaml"}:
        assert shipped(repository, name).project.name == "abr"
    # The published recipe is the default one.
    assert load(EegConfig, file=repository / "configs" / "eeg.yaml") == EegConfig()


def test_the_shipped_network_is_the_default_one(repository: Path) -> None:
    assert shipped(repository, "config.yaml").model == ModelConfig()


def test_large_setting_has_the_parameters_that_it_claims(repository: Path) -> None:
    config = shipped(repository, "abr_large.yaml")
    model = build_model(config.model, n_classes=5, latency=PRIOR)
    n_parameters = sum(parameter.numel() for parameter in model.parameters())
    assert n_parameters / 1e6 == pytest.approx(32.7, abs=0.05)
    assert "32.7 M parameters" in (repository / "configs" / "abr_large.yaml").read_text(encoding="utf-8")
    assert config.hardware.mixed_precision
    assert config.data.simulation.preset == "clinical"


def test_large_setting_makes_a_step(repository: Path) -> None:
    config = shipped(repository, "abr_large.yaml")
    n_times = config.data.simulation.n_times
    assert n_times % config.model.architecture.samples_per_step == 0
    torch.manual_seed(0)
    model = build_model(config.model, n_classes=5, latency=PRIOR)
    generator = torch.Generator().manual_seed(0)
    signals = torch.randn(2, 2, 1, n_times, generator=generator)
    condition, missing = torch.zeros(2, 4), torch.zeros(2, 4, dtype=torch.bool)
    prediction = model(
        signals[0], torch.tensor([0, 999]), signals[1], condition, missing, torch.tensor([True, False])
    )
    assert prediction.signal.shape == (2, 1, n_times)
    (prediction.signal.square().mean() + sum(value.square().mean() for value in prediction.tasks)).backward()
    assert all(
        bool(parameter.grad.isfinite().all())
        for parameter in model.parameters()
        if parameter.grad is not None
    )


def test_benchmark_measures_the_large_setting(repository: Path) -> None:
    measured: dict[str, Any] = runpy.run_path(str(repository / "benchmarks" / "abr_step.py"))
    architecture = ModelConfig.model_validate({"architecture": measured["LARGE"]}).architecture
    in_file = shipped(repository, "abr_large.yaml").model.architecture
    assert architecture.model_dump(exclude={"dropout"}) == in_file.model_dump(exclude={"dropout"})
