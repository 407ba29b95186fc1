"""The ABR task: components, evaluation that repeats bit for bit, and what its constants rest on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from neuroprism.abr import AbrConfig, AbrScaler, AbrTask, SimulationConfig, simulate
from neuroprism.abr.dataset import AbrBatch, AbrDataset
from neuroprism.core.config import load, parse_override
from neuroprism.core.errors import ConfigError

TINY = [
    "model.architecture={base_channels: 8, n_levels: 2, channel_multipliers: [1, 2], patch_size: 4}",
    "model.architecture.encoder={n_s4_layers: 1, d_state: 4}",
    "model.architecture.decoder.n_heads=2",
    "model.architecture.film.hidden_dim=8",
    "model.architecture.heads.hidden_dim=8",
]
ORDER = ["signal", "classification", "peak_exist", "peak_latency", "peak_amplitude", "threshold"]


@pytest.fixture(scope="module")
def data() -> tuple[AbrScaler, AbrBatch, AbrBatch]:
    recordings = simulate(SimulationConfig(n_patients=20, seed=2))
    train = np.flatnonzero(recordings.patient_id < recordings.patient_id[len(recordings) * 3 // 4])
    val = np.setdiff1d(np.arange(len(recordings)), train)
    scaler = AbrScaler.fit(recordings.select(train))
    return scaler, *(AbrDataset(recordings, rows, scaler).everything for rows in (train, val))


def make(data: tuple[AbrScaler, AbrBatch, AbrBatch], *assignments: str, seed: int = 0) -> AbrTask:
    config = load(AbrConfig, overrides=[parse_override(text) for text in (*TINY, *assignments)])
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        task = AbrTask(config, data[0], training=data[1], validation=data[2])
    # Outputs begin at zero; a trained network does not.
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in task.model.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return task


def batches(batch: AbrBatch, size: int) -> list[AbrBatch]:
    return [batch.select(rows) for rows in torch.arange(len(batch)).split(size)]


def evaluate(task: AbrTask, batch: AbrBatch, size: int = 32, **more: Any) -> tuple[Any, Any]:
    task.model.eval()
    with torch.no_grad():
        found = task.evaluate(task.model, batches(batch, size), **more)
    return found.losses, found.metrics


def test_two_evaluations_agree_bit_for_bit(data: Any) -> None:
    task = make(data)
    first = evaluate(task, data[2])
    torch.rand(17)  # the random state of training must not matter
    assert evaluate(task, data[2]) == first
    assert set(first[0]) == set(ORDER)
    assert all(np.isfinite(list(first[0].values())))


def test_evaluation_leaves_the_random_state_alone(data: Any) -> None:
    task = make(data)
    before = torch.get_rng_state()
    evaluate(task, data[2])
    assert torch.equal(torch.get_rng_state(), before)


def test_another_model_gives_other_losses(data: Any) -> None:
    one, other = (evaluate(make(data, seed=seed), data[2])[0] for seed in (0, 1))
    assert all(one[name] != other[name] for name in ORDER)


def test_task_losses_and_metrics_do_not_depend_on_the_batches(data: Any) -> None:
    task = make(data)
    (one, metrics), (other, again) = (evaluate(task, data[2], size) for size in (10, 64))
    for name in ORDER[1:]:
        assert one[name] == pytest.approx(other[name], rel=1e-5), name
    for name in ("balanced_accuracy", "latency_mae_ms", "threshold_mae_db", "v_roc_auc"):
        assert metrics[name] == pytest.approx(again[name], rel=1e-4), name


def test_metrics_are_those_declared(data: Any) -> None:
    task = make(data)
    losses, metrics = evaluate(task, data[2])
    assert set(metrics) == set(task.metric_names)
    assert sum(name.startswith("signal_by_noise/") for name in metrics) == 10
    without, none = evaluate(task, data[2], compute_metrics=False)
    assert none == {}
    assert without == losses


def test_few_noise_levels_are_all_visited(data: Any) -> None:
    task = make(data, "diffusion.noise_schedule.num_timesteps=3")
    _, metrics = evaluate(task, data[2])
    assert {name for name in metrics if name.startswith("signal_by_noise/")} == {
        f"signal_by_noise/t00{t}" for t in range(3)
    }


def test_components_have_names_labels_weights_and_baselines(data: Any) -> None:
    task = make(data, "loss.weights.diffusion=0.5", "loss.weights.classification=2")
    assert [c.name for c in task.components] == ORDER
    assert [c.label for c in task.components] == ["Signal", "Class", "Peak", "PeakLat", "PeakAmp", "Thresh"]
    assert [c.weight for c in task.components] == [0.5, 2.0, 1.0, 1.0, 1.0, 1.0]
    assert [c.detail for c in task.components] == [False, False, False, True, True, False]
    assert all(c.baseline is not None and 0.3 < c.baseline < 3.0 for c in task.components)


@pytest.mark.parametrize("kind", ["v", "x0", "epsilon"])
def test_baseline_of_the_signal_is_what_predicting_zero_costs(kind: str, data: Any) -> None:
    task = make(
        data,
        f"diffusion.prediction_type={kind}",
        "diffusion.noise_schedule.type=linear",
    )

    class Silent(torch.nn.Module):
        def forward(self, x_t: torch.Tensor, *more: Any) -> Any:
            prediction = task.model(x_t, *more)
            return prediction._replace(signal=torch.zeros_like(prediction.signal))

    with torch.no_grad():
        losses = task.evaluate(Silent(), batches(data[2], 32)).losses
    assert losses["signal"] == pytest.approx(task.components[0].baseline, rel=0.1)


def test_training_losses_draw_noise_and_evaluation_does_not_drop_the_condition(data: Any) -> None:
    task = make(data, "diffusion.cfg.drop_prob=1.0")
    task.model.eval()
    batch = data[1].select(torch.arange(16))
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(0)
        first, second = (task.losses(task.model, batch).values for _ in range(2))
    assert first["signal"] != second["signal"]
    assert first["classification"] == second["classification"]
    kept = make(data, "diffusion.cfg.drop_prob=0.0")
    assert evaluate(task, data[2]) == evaluate(kept, data[2])


def test_dropping_the_condition_changes_the_signal_only(data: Any) -> None:
    batch = data[1].select(torch.arange(16))
    found = []
    for share in (0.0, 1.0):
        task = make(data, f"diffusion.cfg.drop_prob={share}")
        task.model.eval()
        with torch.no_grad(), torch.random.fork_rng():
            torch.manual_seed(0)
            found.append(task.losses(task.model, batch).values)
    assert found[0]["signal"] != found[1]["signal"]
    assert all(found[0][name] == found[1][name] for name in ORDER[1:])


def test_state_for_checkpoints_restores_the_scaler(data: Any) -> None:
    task = make(data)
    state = task.checkpoint_state()
    assert AbrScaler.from_state_dict(state["scaler"]) == data[0]
    assert state["class_names"] == list(data[0].class_names)
    assert state["loss_reference"]


def test_samples_are_named_by_their_number_in_the_set(data: Any) -> None:
    task = make(data)
    batch = data[2].select(torch.tensor([3, 1]))
    assert task.n_samples(batch) == 2
    assert task.sample_ids(batch).tolist() == [int(data[2].index[3]), int(data[2].index[1])]


def test_recordings_that_are_too_short_are_refused(data: Any) -> None:
    deep = "model.architecture={n_levels: 8, channel_multipliers: [1, 1, 1, 1, 1, 1, 1, 1]}"
    with pytest.raises(ConfigError, match="8 levels with patch_size 4 need recordings of 512 samples"):
        make(data, deep)
