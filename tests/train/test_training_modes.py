"""Short runs, hardware options and histograms."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from neuroprism.core.errors import ConfigError
from neuroprism.train import (
    FirstBatches,
    HardwareConfig,
    RepeatedBatch,
    Trainer,
    fast_dev_run,
    load_checkpoint,
    steps_per_epoch,
)


def test_fast_dev_run_is_two_short_epochs_of_the_same_training(make_run: Any, toy: Any) -> None:
    training = toy.config(
        epochs=300,
        accumulation_steps=2,
        scheduler={"type": "one_cycle", "warmup_epochs": 5},
        validation={"frequency": 7},
    )
    run = make_run(fast_dev_run(training))
    result = run.fit()
    assert (result.n_epochs, result.n_steps) == (2, 4)
    assert all(epoch["val"] for epoch in run.monitor.epochs)
    assert len(list((run.folder / "checkpoints").iterdir())) == 4
    assert run.config.accumulation_steps == 2


def test_overfitting_one_batch_works(make_run: Any, toy: Any) -> None:
    run = make_run(toy.config(epochs=3, ema_decay=None), task=toy.Task(dropout=0.0))
    one = RepeatedBatch(toy.loaders()[0], 60)
    result = run.fit(one, FirstBatches(one, 1))
    assert result.n_steps == 180
    assert run.monitor.epochs[-1]["val"]["kind"] < 0.02
    assert run.monitor.epochs[-1]["val"]["number"] < 0.1


def test_max_steps_per_epoch_and_its_plan(make_run: Any, toy: Any) -> None:
    training = toy.config(max_steps_per_epoch=2, accumulation_steps=2)
    run = make_run(training)
    assert run.fit().n_steps == 4
    train, _ = toy.loaders()
    assert steps_per_epoch(train, training) == 2
    assert steps_per_epoch(train, toy.config(accumulation_steps=4)) == 2


def test_compile_model_acts(make_run: Any) -> None:
    class Eager(Trainer):
        compiled = 0

        def _compile(self, model: nn.Module) -> nn.Module:
            Eager.compiled += 1
            return torch.compile(model, backend="eager")  # type: ignore[return-value]

    compiled = make_run(trainer_class=Eager, hardware=HardwareConfig(device="cpu", compile_model=True))
    compiled.fit()
    plain = make_run(trainer_class=Eager)
    plain.fit()
    assert Eager.compiled == 1
    names = load_checkpoint(compiled.folder).model
    assert list(names) == list(plain.task.model.state_dict())
    for name, value in plain.task.model.state_dict().items():
        assert torch.allclose(names[name], value, atol=1e-5), name


def test_mixed_precision_runs_the_model_in_bfloat16_and_losses_in_float32(make_run: Any, toy: Any) -> None:
    kinds: dict[str, torch.dtype] = {}
    task = toy.Task()
    task.model.body[0].register_forward_hook(
        lambda m, i, o: kinds.update(inside=o.dtype, entering=i[0].dtype)
    )
    losses = task.losses

    def look(model: nn.Module, batch: Any) -> Any:
        kinds["output"] = model(batch["x"])["number"].dtype
        return losses(model, batch)

    task.losses = look
    run = make_run(task=task, hardware=HardwareConfig(device="cpu", mixed_precision=True))
    run.fit()
    assert kinds == {"inside": torch.bfloat16, "entering": torch.float32, "output": torch.float32}
    assert run.monitor.epochs[-1]["val"]["kind"] < 1.2
    assert all(p.dtype == torch.float32 for p in task.model.parameters())


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_absent_device_is_a_clear_error(make_run: Any) -> None:
    with pytest.raises(ConfigError, match=r"hardware\.device=cuda: there is no such device here; available:"):
        make_run(hardware=HardwareConfig(device="cuda"))


def test_number_of_threads_is_set(make_run: Any) -> None:
    before = torch.get_num_threads()
    try:
        make_run(hardware=HardwareConfig(device="cpu", n_threads=3))
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_histograms_of_weights_and_gradients(make_run: Any, toy: Any) -> None:
    run = make_run(toy.config(epochs=4, gradient_clip=None), histogram_every_n_epochs=2)
    run.fit()
    assert len(run.monitor.taken_histograms) == 2
    taken = run.monitor.taken_histograms[-1]
    weight = run.task.model.number.weight.detach()
    found = taken["weights"]["number.weight"]
    assert found.counts.sum() == weight.numel()
    assert found.total == pytest.approx(float(weight.double().sum()))
    assert (found.minimum, found.maximum) == (float(weight.min()), float(weight.max()))
    assert taken["gradients"]["number.weight"].n_non_finite == 0
    assert set(taken["gradients"]) == set(taken["weights"]) == set(dict(run.task.model.named_parameters()))
