"""What drawn signals depend on, and guidance."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from neuroprism.abr.sampling import (
    SamplerSettings,
    SignalNoise,
    draw_signals,
    guided,
)
from neuroprism.abr.trained import TrainedAbr, load_trained
from neuroprism.core.errors import UserError

FEW = SamplerSettings(steps=4)
KNOWN = torch.zeros(5, 4, dtype=torch.bool)


@pytest.fixture(scope="module")
def trained(trained_run: Any) -> TrainedAbr:
    return load_trained(trained_run.folder)


def conditions(n: int = 5, seed: int = 0) -> Tensor:
    return torch.randn(n, 4, generator=torch.Generator().manual_seed(seed))


def draw(trained: TrainedAbr, settings: SamplerSettings = FEW, *, seed: int = 1, **options: Any) -> Tensor:
    condition = options.pop("condition", conditions())
    missing = torch.zeros(condition.shape, dtype=torch.bool)
    return draw_signals(trained, condition, missing, settings, seed=seed, **options)


@pytest.mark.parametrize(
    "settings", [FEW, replace(FEW, eta=1.0), SamplerSettings(sampler="ddpm", steps=4)], ids=str
)
def test_equal_seeds_give_equal_signals_in_batches_of_any_size(
    trained: TrainedAbr, settings: SamplerSettings
) -> None:
    whole = draw(trained, settings)
    assert torch.equal(whole, draw(trained, settings))
    assert whole.shape == (5, 1, trained.n_times)
    for size in (1, 2, 4):
        torch.testing.assert_close(draw(trained, settings, batch_size=size), whole, rtol=1e-4, atol=1e-4)
    # The first of many are those of few.
    few = draw(trained, settings, condition=conditions()[:2])
    torch.testing.assert_close(few, whole[:2], rtol=1e-4, atol=1e-4)


def test_signals_depend_on_seed_number_condition_sampler_and_weights(trained: TrainedAbr) -> None:
    first = draw(trained)
    assert not torch.allclose(first, draw(trained, seed=2), atol=1e-2)
    assert not torch.allclose(first, draw(trained, numbers=range(5, 10)), atol=1e-2)
    assert not torch.allclose(first, draw(trained, condition=conditions(seed=1)), atol=1e-3)
    assert not torch.allclose(first, draw(trained, replace(FEW, eta=1.0)), atol=1e-3)
    assert not torch.allclose(first, draw(trained, SamplerSettings(sampler="ddpm", steps=4)), atol=1e-3)
    other = load_trained(trained.path.with_name("last.pt"))
    assert not torch.allclose(first, draw(other), atol=1e-3)
    # Alike conditions still give different signals.
    alike = draw(trained, condition=torch.zeros(2, 4))
    assert not torch.allclose(alike[0], alike[1], atol=1e-2)


def test_signals_stay_in_the_range_of_the_training_signals(trained: TrainedAbr) -> None:
    low, high = trained.scaler.clip
    drawn = draw(trained, SamplerSettings(sampler="ddpm", steps=3))
    assert low <= float(drawn.min())
    assert float(drawn.max()) <= high


def test_random_state_of_the_program_is_left_alone(trained: TrainedAbr) -> None:
    before = torch.get_rng_state()
    draw(trained, SamplerSettings(sampler="ddpm", steps=2))
    assert torch.equal(torch.get_rng_state(), before)


def test_noise_of_a_signal_is_its_own() -> None:
    like = torch.empty(3, 1, 1000)
    together = SignalNoise(3, [0, 1, 2]).draw(like)
    assert torch.equal(SignalNoise(3, [2]).draw(like[:1])[0], together[2])
    correlation = torch.corrcoef(together.squeeze(1)).fill_diagonal_(0.0)
    assert float(correlation.abs().max()) < 0.15
    assert float(together.std()) == pytest.approx(1.0, abs=0.05)


# --- guidance ---------------------------------------------------------------------------------------------


def test_guidance_is_the_condition_at_1_none_at_0_and_linear(trained: TrainedAbr) -> None:
    network, condition = trained.network, conditions()
    x, t = (
        torch.randn(5, 1, trained.n_times, generator=torch.Generator().manual_seed(0)),
        torch.arange(5) * 90,
    )
    dropped = torch.ones(5, dtype=torch.bool)
    conditional = network.predict_signal(x, t, condition, KNOWN)
    unconditional = network.predict_signal(x, t, condition, KNOWN, dropped)
    assert not torch.allclose(conditional, unconditional, atol=1e-4)
    assert torch.equal(guided(network, condition, KNOWN, 1.0)(x, t), conditional)
    assert torch.equal(guided(network, condition, KNOWN, 0.0)(x, t), unconditional)
    for scale in (0.5, 2.0):
        expected = unconditional + scale * (conditional - unconditional)
        torch.testing.assert_close(
            guided(network, condition, KNOWN, scale)(x, t), expected, atol=1e-5, rtol=1e-4
        )


def test_guiding_signal_noise_or_velocity_gives_the_same_signal(trained: TrainedAbr) -> None:
    schedule = trained.schedule
    x, t = torch.randn(5, 1, 20, generator=torch.Generator().manual_seed(0)), torch.arange(5) * 90 + 100
    one, other = (torch.randn(5, 1, 20, generator=torch.Generator().manual_seed(k)) for k in (1, 2))
    by_velocity = schedule.to_x0(other + 3.0 * (one - other), x, t, "v")
    signals = [schedule.to_x0(part, x, t, "v") for part in (one, other)]
    noises = [schedule.to_noise(part, x, t, "v") for part in (one, other)]
    by_signal = signals[1] + 3.0 * (signals[0] - signals[1])
    by_noise = schedule.to_x0(noises[1] + 3.0 * (noises[0] - noises[1]), x, t, "epsilon")
    torch.testing.assert_close(by_signal, by_velocity, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(by_noise, by_velocity, atol=1e-4, rtol=1e-4)


def test_without_a_condition_its_values_do_not_matter(trained: TrainedAbr) -> None:
    free = replace(FEW, guidance=0.0)
    assert torch.equal(draw(trained, free), draw(trained, free, condition=conditions(seed=1)))
    assert not torch.allclose(draw(trained, replace(FEW, guidance=3.0)), draw(trained), atol=1e-3)


def test_guidance_of_a_model_without_a_null_is_refused(trained: TrainedAbr) -> None:
    diffusion = trained.config.diffusion.model_copy(
        update={"cfg": trained.config.diffusion.cfg.model_copy(update={"drop_prob": 0.0})}
    )
    bare = replace(trained, config=trained.config.model_copy(update={"diffusion": diffusion}))
    draw(bare)
    for scale in (0.0, 2.0):
        with pytest.raises(
            UserError, match=rf"guidance {scale:g} needs a model .* use --guidance 1$"
        ) as caught:
            draw(bare, replace(FEW, guidance=scale))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"sampler": "ddmi"}, "sampler must be ddim or ddpm, not 'ddmi'"),
        ({"steps": 0}, "steps must be 1 or more, not 0"),
        ({"eta": 1.5}, "eta must be between 0 and 1, not 1.5"),
        ({"sampler": "ddpm", "eta": 0.5}, "eta belongs to the sampler ddim"),
        ({"guidance": float("nan")}, "guidance must be 0 or more, not nan"),
        ({"guidance": -1.0}, "guidance must be 0 or more, not -1"),
    ],
)
def test_settings_that_make_no_sense(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        SamplerSettings(**wrong)


def test_more_steps_than_noise_levels(trained: TrainedAbr) -> None:
    with pytest.raises(UserError, match="steps must be between 1 and 1000"):
        draw(trained, SamplerSettings(steps=1001))
    assert len(SamplerSettings().levels(trained.schedule)) == 50
    assert len(SamplerSettings(sampler="ddpm").levels(trained.schedule)) == 1000


# --- denoising --------------------------------------------------------------------------------------------
