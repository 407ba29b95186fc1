"""What an accelerator would notice: no waiting between flushes; float16 loss scaling."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from torch.utils._python_dispatch import TorchDispatchMode

from neuroprism.core.errors import TrainingError
from neuroprism.train import hardware, state, trainer
from neuroprism.train.update import Update


class CountReads(TorchDispatchMode):
    """Counts values that leave PyTorch and tensors that change device."""

    n = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        aten = torch.ops.aten
        CountReads.n += func in (aten._local_scalar_dense.default, aten.is_nonzero.default)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("deferred", [False, True])
def test_a_step_reads_no_value_where_the_verdict_stays_on_the_device(
    make_run: Any, toy: Any, monkeypatch: pytest.MonkeyPatch, deferred: bool
) -> None:
    guard, take = state.NonFiniteGuard, Update.take
    monkeypatch.setattr(state, "NonFiniteGuard", lambda *a, **k: guard(*a, **k, deferred=deferred))

    def counted(self: Update, *args: Any) -> Any:
        with CountReads():
            return take(self, *args)

    monkeypatch.setattr(Update, "take", counted)
    monkeypatch.setattr(CountReads, "n", 0)
    run = make_run(toy.config(accumulation_steps=2, gradient_clip=0.5, log_frequency=100))
    run.task.sample_ids = lambda batch: batch["id"]
    run.fit()
    assert run.monitor.n_steps == 6
    # The counter sees the one read per step of the immediate check.
    assert CountReads.n == (0 if deferred else 6)


def half_precision(hardware_config: Any, *, scale: float) -> Fabric:
    scaler = torch.amp.GradScaler("cpu", init_scale=scale, growth_interval=5)
    plugin = hardware._Autocast("16-mixed", "cpu", scaler)
    return Fabric(accelerator="cpu", devices=1, plugins=[plugin])


def test_loss_scale_is_found_without_stopping(
    make_run: Any, toy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "build_fabric", lambda config: half_precision(config, scale=2.0**40))
    run = make_run(toy.config(epochs=8, on_non_finite="stop"))
    run.fit()
    skipped = [step["skipped"] for step in run.monitor.steps]
    n = skipped.count(True)
    assert 0 < n < 40
    assert skipped[:3] == [True, True, True]
    assert run.monitor.epochs[-1]["val"]["kind"] < 1.1
    assert all(torch.isfinite(p).all() for p in run.task.model.parameters())


def test_nan_loss_stops_under_loss_scaling_too(
    make_run: Any, toy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "build_fabric", lambda config: half_precision(config, scale=64.0))
    run = make_run(toy.config(epochs=2))
    seen = iter(range(10**6))

    def poison(batch: dict[str, torch.Tensor]) -> None:
        if next(seen) == 4:
            batch["x"] = batch["x"] * math.nan

    run.task.before_loss = poison
    with pytest.raises(TrainingError, match="number is NaN, kind is NaN at step 5"):
        run.fit()
    assert all(torch.isfinite(p).all() for p in run.task.model.parameters())


def test_gradients_are_clipped_without_their_scale(
    make_run: Any, toy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    norms = {}
    for scale in (1.0, 1024.0):
        monkeypatch.setattr(trainer, "build_fabric", lambda config, s=scale: half_precision(config, scale=s))
        run = make_run(toy.config(epochs=1), name=str(scale))
        run.fit()
        norms[scale] = float(run.monitor.steps[0]["grad_norm"])
    assert norms[1.0] == pytest.approx(norms[1024.0], rel=0.02)
