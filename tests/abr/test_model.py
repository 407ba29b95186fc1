"""The network depends on what it should, on nothing else, and learns to denoise."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from neuroprism.abr.conditioning import FMP
from neuroprism.abr.diffusion import DiffusionConfig, NoiseSchedule, fixed_noise
from neuroprism.abr.heads import LatencyPrior, TaskPrediction
from neuroprism.abr.model import AbrPrediction, HierarchicalUNet, build_model, models
from neuroprism.abr.model_config import ModelConfig
from neuroprism.core import config as configuration
from neuroprism.core.errors import ConfigError, DataError

SMALL: dict[str, Any] = {
    "base_channels": 8,
    "n_levels": 2,
    "channel_multipliers": [1, 2],
    "encoder": {"n_s4_layers": 1, "d_state": 8},
    "decoder": {"n_heads": 2},
    "film": {"hidden_dim": 16},
    "heads": {"hidden_dim": 16},
}
B, T = 4, 64


def network(*, seed: int = 0, fresh: bool = False, use_fmp: bool = False, **sizes: Any) -> HierarchicalUNet:
    """Return a small network; unless `fresh`, zero-initialised maps are shaken so that everything acts."""
    config = ModelConfig.model_validate({"use_fmp": use_fmp, "architecture": SMALL | sizes})
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = HierarchicalUNet(config, n_classes=5, latency=LatencyPrior(0.6, 0.1))
        if not fresh:
            for parameter in model.parameters():
                if not parameter.any():
                    torch.nn.init.normal_(parameter, std=0.3)
    return model.eval()


def inputs(n_samples: int = T) -> dict[str, torch.Tensor]:
    return {
        "x_t": fixed_noise((B, 1, n_samples), 1),
        "t": torch.tensor([3, 200, 700, 999]),
        "observed": fixed_noise((B, 1, n_samples), 2),
        "condition": fixed_noise((B, 4), 3),
        "missing": torch.zeros(B, 4, dtype=torch.bool),
    }


def signal_of(model: HierarchicalUNet, **changes: torch.Tensor) -> torch.Tensor:
    given = inputs() | changes
    given.pop("observed")
    return model.predict_signal(**given)


def tasks_of(model: HierarchicalUNet, **changes: torch.Tensor) -> TaskPrediction:
    given = inputs() | changes
    return model.predict_tasks(given["observed"], given["condition"], given["missing"])


def differs(a: torch.Tensor, b: torch.Tensor) -> bool:
    return bool((a - b).abs().amax(dim=tuple(range(1, a.ndim))).min() > 1e-4)


@pytest.mark.parametrize("n_samples", [64, 61, 200, 256])
def test_every_sample_is_predicted_at_any_length(n_samples: int) -> None:
    prediction = network()(**inputs(n_samples))
    assert prediction.signal.shape == (B, 1, n_samples)
    assert prediction.signal.std(dim=-1).min() > 0
    assert prediction.tasks.class_logits.shape == (B, 5)
    assert all(v.shape == (B,) for k, v in prediction.tasks._asdict().items() if k != "class_logits")
    assert all(torch.isfinite(v).all() for v in prediction.tasks)


def test_one_pass_equals_two() -> None:
    model = network(use_fmp=True)
    drop = torch.tensor([True, False, False, True])
    both = model(**inputs(), drop=drop)
    assert isinstance(both, AbrPrediction)
    assert torch.allclose(both.signal, signal_of(model, drop=drop), atol=1e-5)
    for one, two in zip(both.tasks, tasks_of(model), strict=True):
        assert torch.allclose(one, two, atol=1e-5)


def test_signal_depends_on_step_condition_and_input() -> None:
    model = network()
    reference = signal_of(model)
    assert differs(reference, signal_of(model, t=torch.tensor([4, 210, 650, 900])))
    assert differs(reference, signal_of(model, x_t=fixed_noise((B, 1, T), 9)))
    for column in range(3):
        condition = inputs()["condition"].clone()
        condition[:, column] += 1
        assert differs(reference, signal_of(model, condition=condition)), column
        missing = inputs()["missing"].clone()
        missing[:, column] = True
        assert differs(reference, signal_of(model, missing=missing)), column


def test_missing_values_are_never_read() -> None:
    model = network(use_fmp=True)
    missing = torch.zeros(B, 4, dtype=torch.bool)
    missing[:, 1] = True
    condition = inputs()["condition"].clone()
    condition[:, 1] = float("nan")
    given = signal_of(model, missing=missing)
    assert torch.equal(given, signal_of(model, missing=missing, condition=condition))
    assert torch.isfinite(given).all()


def test_dropped_condition_is_the_one_learned_null() -> None:
    model = network()
    everything, nothing = torch.ones(B, dtype=torch.bool), torch.zeros(B, dtype=torch.bool)
    dropped = signal_of(model, drop=everything)
    other = signal_of(model, drop=everything, condition=fixed_noise((B, 4), 8), missing=~inputs()["missing"])
    assert torch.equal(dropped, other)
    assert differs(dropped, signal_of(model))
    assert torch.equal(signal_of(model), signal_of(model, drop=nothing))
    some = torch.tensor([True, False, True, False])
    mixed = signal_of(model, drop=some)
    assert torch.allclose(mixed[some], dropped[some], atol=1e-6)
    assert torch.allclose(mixed[~some], signal_of(model)[~some], atol=1e-6)
    dropped.square().sum().backward()
    assert model.embedding.null.grad is not None
    assert (model.embedding.null.grad != 0).any()
    with torch.no_grad():
        model.embedding.null += 1
    assert differs(dropped.detach(), signal_of(model, drop=everything))


@pytest.mark.parametrize("use_fmp", [False, True])
def test_fmp_reaches_the_signal_when_asked_and_the_tasks_never(use_fmp: bool) -> None:
    model = network(use_fmp=use_fmp)
    changed = inputs()
    changed["condition"][:, FMP] += 2
    assert differs(signal_of(model), signal_of(model, condition=changed["condition"])) is use_fmp
    for before, after in zip(tasks_of(model), tasks_of(model, condition=changed["condition"]), strict=True):
        assert torch.equal(before, after)
    for before, after in zip(model(**inputs()).tasks, model(**changed).tasks, strict=True):
        assert torch.equal(before, after)


def test_tasks_read_the_recording_and_the_condition() -> None:
    model = network()
    names = TaskPrediction._fields
    recording, condition = fixed_noise((B, 1, T), 9), inputs()["condition"] + 1
    for name, a, b, c in zip(
        names,
        tasks_of(model),
        tasks_of(model, observed=recording),
        tasks_of(model, condition=condition),
        strict=True,
    ):
        assert differs(a, b), name
        assert differs(a, c), name


def test_first_outputs_are_the_constant_prediction() -> None:
    prediction = network(fresh=True)(**inputs())
    assert torch.equal(prediction.signal, torch.zeros(B, 1, T))
    for name, value in prediction.tasks._asdict().items():
        if name.endswith("scale"):
            assert torch.allclose(value, torch.ones(B)), name
        else:
            # The latency is the mean over a grid of places, exact up to the grid's spacing.
            assert value.abs().max() < (0.05 if name == "latency_mean" else 1e-6), name


def test_film_is_still_zero_after_building_and_learns_from_the_second_step() -> None:
    model = network(fresh=True)
    films = [module for module in model.modules() if type(module).__name__ == "FiLM"]
    assert len(films) == 4
    assert not any(parameter.any() for film in films for parameter in film.parameters())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        (model(**inputs()).signal - inputs()["observed"]).square().mean().backward()
        optimizer.step()
    assert all(film.project.weight.any() for film in films)


def test_every_parameter_gets_a_gradient() -> None:
    model = network().train()
    prediction = model(**inputs(), drop=torch.tensor([True, False, False, False]))
    (prediction.signal.square().mean() + sum(v.square().mean() for v in prediction.tasks)).backward()
    for name, parameter in model.named_parameters():
        # All places of an attention may share a bias: softmax does not see it.
        if not name.endswith("score.bias"):
            assert parameter.grad is not None, name
            assert (parameter.grad != 0).any(), name


def test_bfloat16_autocast_runs_forward_and_backward() -> None:
    model = network().train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        prediction = model(**inputs())
    assert prediction.tasks.latency_mean.dtype == torch.float32
    prediction.signal.float().square().mean().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_denoising_error_falls_as_the_signal_to_noise_ratio_rises() -> None:
    model = network(fresh=True, patch_size=2).train()
    schedule = NoiseSchedule(DiffusionConfig())
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    time = torch.arange(T) / T

    def waves(n: int) -> torch.Tensor:
        phase = torch.rand(n, 1, 1, generator=generator) * 6.28
        return 2**0.5 * torch.sin(6.28 * 2 * time + phase)

    missing, condition = torch.ones(64, 4, dtype=torch.bool), torch.zeros(64, 4)
    for _ in range(150):
        x0, t = waves(64), schedule.random_steps(64, generator)
        noise = torch.randn(x0.shape, generator=generator)
        output = model.predict_signal(schedule.add_noise(x0, noise, t), t, condition, missing)
        errors = (output - schedule.target(x0, noise, t)).square().mean(dim=(1, 2))
        optimizer.zero_grad()
        (schedule.loss_weights(t) * errors).mean().backward()
        optimizer.step()
    model.eval()
    x0, noise, by_level = waves(64), fixed_noise((64, 1, T), 1), []
    for step in schedule.validation_grid(4).tolist():
        t = torch.full((64,), step)
        x_t = schedule.add_noise(x0, noise, t)
        with torch.no_grad():
            x0_hat = schedule.to_x0(model.predict_signal(x_t, t, condition, missing), x_t, t)
        by_level.append(float((x0_hat - x0).square().mean()))
    assert by_level == sorted(by_level)
    assert by_level[0] < 0.1
    assert by_level[2] < 0.6


def test_wrong_shapes_are_refused_in_one_line() -> None:
    model = network()
    for change in ({"observed": torch.zeros(B, 2, T)}, {"observed": torch.zeros(B, 1, 3)}):
        with pytest.raises(DataError, match=r"signals \(B, 1, T\) of at least 8 samples"):
            tasks_of(model, **change)
    with pytest.raises(DataError, match="columns age, level, rate, fmp, not 3"):
        tasks_of(model, condition=torch.zeros(B, 3), missing=torch.zeros(B, 3, dtype=torch.bool))


def test_built_by_registered_name() -> None:
    assert list(models) == ["hierarchical_unet"]
    model = build_model(ModelConfig(), n_classes=5, latency=LatencyPrior(0.6, 0.1))
    assert isinstance(model, HierarchicalUNet)
    assert 0.3e6 < sum(p.numel() for p in model.parameters()) < 1.5e6


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("type", "hierarchical_unte", "type: unknown model .* did you mean 'hierarchical_unet'"),
        (
            "architecture.decoder.n_heads",
            12,
            "decoder.n_heads = 12 does not divide the 32 channels of level 0",
        ),
        ("architecture.channel_multipliers", [1, 2], "channel_multipliers must have one value per level"),
        ("architecture.n_levels", 4, "3 values, n_levels is 4"),
        ("architecture.channel_multipliers", [1, 0, 2], "channel_multipliers must be positive"),
        ("architecture.encoder.d_state", 7, "encoder.d_state: must be even, not 7"),
        ("architecture.encoder.init", "real", "encoder.init"),
        ("architecture.film.hidden_dim", 9, "film.hidden_dim: must be even, not 9"),
        ("architecture.heads.min_scale", 0, "heads.min_scale"),
        ("architecture.dropout", 1.0, "architecture.dropout"),
        ("architecture.base_chanels", 8, "did you mean 'architecture.base_channels'"),
    ],
)
def test_impossible_sizes_are_refused_at_load(key: str, value: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        configuration.load(ModelConfig, overrides=[(key, value, "--set")])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("", "base_channels", 16),
        ("", "channel_multipliers", [1, 3]),
        ("", "patch_size", 2),
        ("encoder", "n_s4_layers", 2),
        ("encoder", "d_state", 16),
        ("encoder", "bidirectional", False),
        ("decoder", "n_transformer_layers", 2),
        ("decoder", "mlp_ratio", 4.0),
        ("film", "hidden_dim", 32),
        ("heads", "hidden_dim", 32),
    ],
)
def test_every_size_changes_the_weights(section: str, key: str, value: object) -> None:
    sizes = {section: SMALL[section] | {key: value}} if section else {key: value}
    before, after = network(), network(**sizes)
    assert {k: v.shape for k, v in before.state_dict().items()} != {
        k: v.shape for k, v in after.state_dict().items()
    }


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("", "dropout", 0.5),
        ("encoder", "init", "inv"),
        ("decoder", "n_heads", 4),
        ("film", "dropout", 0.5),
        ("heads", "dropout", 0.9),
        ("heads", "min_scale", 0.3),
        ("heads", "max_latency_shift", 0.1),
    ],
)
def test_every_other_key_changes_the_output(section: str, key: str, value: object) -> None:
    sizes = {section: SMALL[section] | {key: value}} if section else {key: value}
    outputs = []
    for model in (network(), network(**sizes)):
        model.train(mode="dropout" in key)
        with torch.random.fork_rng():
            torch.manual_seed(3)
            outputs.append(torch.cat([v.reshape(B, -1) for v in tasks_of(model)], dim=1))
    assert differs(*outputs)
