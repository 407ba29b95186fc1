"""The loop against a hand-written one, and everything it does along the way."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import AdamW

from neuroprism.core.errors import ConfigError, TrainingError, UnknownNameError
from neuroprism.core.records import Alert
from neuroprism.train import (
    FirstBatches,
    HardwareConfig,
    RepeatedBatch,
    ReproducibilityConfig,
    Trainer,
    fast_dev_run,
    load_checkpoint,
    seed_everything,
    steps_per_epoch,
)
from neuroprism.train.data_order import batches_of


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def bare_loop(task: Any, loader: Any, *, epochs: int, accumulate: int = 1, clip: float | None = 1.0) -> Any:
    """What the trainer does, written by hand: no monitor, no average, no checks."""
    seed_everything(ReproducibilityConfig(seed=5))
    model = task.model
    vectors = [p for p in model.parameters() if p.ndim < 2]
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    groups = [{"params": matrices, "weight_decay": 1e-4}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = AdamW(groups, lr=1e-2, betas=(0.9, 0.95), fused=True)
    norms, totals = [], []
    for epoch in range(1, epochs + 1):
        batches = list(batches_of(loader, epoch=epoch))
        for start in range(0, len(batches), accumulate):
            group = batches[start : start + accumulate]
            optimizer.zero_grad()
            total = torch.zeros(())
            for batch in group:
                values = task.losses(model, batch).values
                loss = (0.7 * values["number"] + 1.3 * values["kind"]) / len(group)
                loss.backward()
                total += loss.detach()
            gradients = [p.grad for p in model.parameters()]
            norms.append(torch.linalg.vector_norm(torch.stack([g.norm() for g in gradients])).item())
            totals.append(total.item())
            if clip is not None:
                torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
    return norms, totals


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("clip", [None, 0.5])
def test_equals_a_hand_written_loop_bit_for_bit(
    make_run: Any, toy: Any, accumulate: int, clip: float | None
) -> None:
    """7 batches an epoch: 3 + 3 + 1 when accumulating over 3."""
    run = make_run(toy.config(accumulation_steps=accumulate, gradient_clip=clip))
    train, _ = toy.loaders(n=56)
    by_hand = toy.Task()
    norms, totals = bare_loop(by_hand, train, epochs=2, accumulate=accumulate, clip=clip)
    result = run.fit(train)
    assert same_weights(run.task.model, by_hand.model)
    assert result.n_steps == len(norms) == (6 if accumulate == 3 else 14)
    assert [float(step["grad_norm"]) for step in run.monitor.steps] == pytest.approx(norms, rel=1e-5)
    recorded = [
        0.7 * float(s["losses"]["number"]) + 1.3 * float(s["losses"]["kind"]) for s in run.monitor.steps
    ]
    assert recorded == pytest.approx(totals, rel=1e-6)
    assert [s["n_samples"] for s in run.monitor.steps[:3]] == ([24, 24, 8] if accumulate == 3 else [8] * 3)


def test_watching_changes_nothing(make_run: Any, open_monitor: Any, toy: Any) -> None:
    training = toy.config(accumulation_steps=2)
    watched = make_run(training, monitor=open_monitor(training, "watched"), name="watched")
    watched.fit()
    watched.monitor.close()
    by_hand = toy.Task()
    bare_loop(by_hand, toy.loaders()[0], epochs=2, accumulate=2)
    assert same_weights(watched.task.model, by_hand.model)


def test_counts_are_summed_and_ids_kept(make_run: Any, toy: Any) -> None:
    run = make_run(toy.config(epochs=1, accumulation_steps=3, max_steps_per_epoch=1))
    train, _ = toy.loaders()
    batches = list(batches_of(train, epoch=1))[:3]
    run.fit(train)
    step = run.monitor.steps[0]
    assert float(step["counts"]["number"]) == sum(float(b["valid"].sum()) for b in batches)
    assert step["counts"]["kind"] == 24
    assert step["samples"] == [b["id"].tolist() for b in batches]


def test_every_epoch_is_recorded_with_validation(make_run: Any, toy: Any) -> None:
    run = make_run(toy.config(epochs=5, validation={"frequency": 2}))
    result = run.fit()
    assert [bool(epoch["val"]) for epoch in run.monitor.epochs] == [False, True, False, True, True]
    assert [epoch["best"] for epoch in run.monitor.epochs][::2] == [None, None, True]
    assert set(run.monitor.epochs[1]["metrics"]) == {"accuracy"}
    assert result.n_epochs == 5
    assert result.best_value is not None
    assert run.monitor.epochs[4]["val"]["kind"] < 1.0
    assert run.monitor.closed is None


def test_metrics_are_computed_only_when_wanted(make_run: Any, toy: Any) -> None:
    run = make_run(toy.config(validation={"compute_metrics": False}))
    run.fit()
    assert run.monitor.epochs[0]["metrics"] == {}
    assert run.monitor.epochs[0]["val"]


def test_learning_rate_is_applied_and_recorded(make_run: Any, toy: Any) -> None:
    run = make_run(toy.config(scheduler={"type": "exponential", "gamma": 0.5, "warmup_steps": 2}))
    run.fit()
    rates = [step["lr"] for step in run.monitor.steps]
    expected = [1e-2 / 3, 2e-2 / 3, *(1e-2 * 0.5 ** (k / 6) for k in range(10))]
    assert rates == pytest.approx(expected)


def test_plateau_hears_the_criterion(make_run: Any, toy: Any) -> None:
    plateau = {"type": "reduce_on_plateau", "patience": 0, "factor": 0.5, "threshold": 1e9}
    run = make_run(toy.config(epochs=4, scheduler=plateau))
    run.fit()
    rates = [step["lr"] for step in run.monitor.steps]
    assert [rates[6 * epoch] for epoch in range(4)] == pytest.approx([1e-2, 1e-2, 5e-3, 2.5e-3])


def test_validation_uses_the_average_and_training_goes_on_with_the_weights(make_run: Any, toy: Any) -> None:
    with_average, without = make_run(name="with"), make_run(toy.config(ema_decay=None), name="without")
    with_average.fit()
    without.fit()
    assert same_weights(with_average.task.model, without.task.model)
    checkpoint = load_checkpoint(with_average.folder)
    assert torch.equal(with_average.task.evaluated_weights[-1], checkpoint.average["number.weight"])
    assert torch.equal(without.task.evaluated_weights[-1], without.task.model.number.weight)
    assert not torch.equal(with_average.task.evaluated_weights[-1], without.task.evaluated_weights[-1])
    assert with_average.task.model.training
    assert load_checkpoint(without.folder).average is None


# Checkpoints and selection


def scripted(run: Any, values: list[float]) -> None:
    """Let validation return these values of a metric, one for each epoch."""
    script = iter(values)
    run.task.before_evaluation = lambda: setattr(run.task, "metrics", {"score": next(script)})


def test_best_is_saved_at_once_last_every_epoch(make_run: Any, toy: Any) -> None:
    stopping = {"monitor": "val/score", "mode": "max"}
    run = make_run(
        toy.config(epochs=5, early_stopping=stopping, checkpointing={"save_frequency": 2}, ema_decay=None)
    )
    scripted(run, [math.nan, 0.2, 0.9, 0.4, 0.5])
    result = run.fit()
    assert run.monitor.checkpoints == [
        ("last.pt", "last"),
        ("best.pt", "best"),
        ("last.pt", "last"),
        ("epoch_0002.pt", "periodic"),
        ("best.pt", "best"),
        ("last.pt", "last"),
        ("last.pt", "last"),
        ("epoch_0004.pt", "periodic"),
        ("last.pt", "last"),
    ]
    assert (result.best_epoch, result.best_value, result.stopped_early) == (3, 0.9, False)
    best, last = load_checkpoint(result.best_path), load_checkpoint(result.last_path)
    assert (best.epoch, last.epoch, last.step) == (3, 5, 30)
    assert best.evaluation["val/score"] == 0.9
    assert torch.equal(best.weights()["number.weight"], run.task.evaluated_weights[2])
    assert last.task_state["classes"] == ["a", "b", "c"]


def test_checkpointing_can_be_switched_off(make_run: Any, toy: Any) -> None:
    run = make_run(toy.config(checkpointing={"save_best": False, "save_last": False}))
    result = run.fit()
    assert (result.last_path, result.best_path) == (None, None)
    assert not run.folder.exists()


def test_early_stopping_ends_training(make_run: Any, toy: Any) -> None:
    stopping = {"monitor": "val/score", "mode": "max", "patience": 2, "min_delta": 0.1}
    run = make_run(toy.config(epochs=9, early_stopping=stopping))
    scripted(run, [0.5, 0.7, 0.75, 0.79, 1.0, 1.0])
    result = run.fit()
    assert (result.n_epochs, result.stopped_early, result.best_epoch) == (4, True, 4)


def test_mistyped_criterion_is_found_at_the_first_validation(make_run: Any, toy: Any) -> None:
    run = make_run(toy.config(early_stopping={"monitor": "val/acuracy", "mode": "max"}))
    with pytest.raises(UnknownNameError, match="did you mean 'val/accuracy'"):
        run.fit()
    assert len(run.monitor.epochs) == 0


def test_mistyped_criterion_is_found_before_training_where_metrics_are_declared(
    make_run: Any, toy: Any
) -> None:
    run = make_run(toy.config(early_stopping={"monitor": "val/acuracy", "mode": "max"}))
    run.task.metric_names = ("accuracy",)
    with pytest.raises(UnknownNameError, match="did you mean 'val/accuracy'"):
        run.fit()
    assert run.monitor.n_steps == 0
    off = make_run(
        toy.config(early_stopping={"monitor": "val/accuracy"}, validation={"compute_metrics": False})
    )
    off.task.metric_names = ("accuracy",)
    with pytest.raises(UnknownNameError, match="compute_metrics"):
        off.fit()


def test_configuration_travels_with_the_weights(make_run: Any) -> None:
    run = make_run(run_config={"training": {"epochs": 2}})
    run.fit()
    checkpoint = load_checkpoint(run.folder)
    assert checkpoint.config == {"training": {"epochs": 2}}
    assert len(checkpoint.config_hash) == 64


# Non-finite values


def poison(batch_number: int) -> Any:
    """Make the input of one batch NaN."""
    seen = iter(range(10**6))

    def act(batch: dict[str, Tensor]) -> None:
        if next(seen) == batch_number:
            batch["x"] = batch["x"] * math.nan

    return act


def test_stop_ends_training_before_the_step(make_run: Any, open_monitor: Any, toy: Any) -> None:
    training = toy.config(on_non_finite="stop")
    run = make_run(training, monitor=open_monitor(training, "run"))
    run.task.before_loss = poison(8)
    with pytest.raises(TrainingError, match=r"component number is NaN, kind is NaN at step 9"):
        run.fit()
    last = load_checkpoint(run.folder)
    assert (last.epoch, last.step) == (1, 6)
    assert all(torch.isfinite(value).all() for value in run.task.model.state_dict().values())
    assert [alert.component for alert in run.monitor.alerts] == ["number", "kind"]
    assert {alert.step for alert in run.monitor.alerts} == {9}
    rows = (run.folder / "steps.jsonl").read_text().splitlines()
    assert len(rows) == 9
    assert '"skipped":true' in rows[-1]
    assert '"status": "failed"' in (run.folder / "run.json").read_text()


@pytest.mark.parametrize("batch_norm", [False, True])
def test_skip_leaves_out_the_step_and_goes_on(make_run: Any, toy: Any, batch_norm: bool) -> None:
    run = make_run(toy.config(on_non_finite="skip"), task=toy.Task(batch_norm=batch_norm))
    run.task.before_loss = poison(3)
    result = run.fit()
    assert result.n_steps == 12
    assert [n for n, step in enumerate(run.monitor.steps) if step["skipped"]] == [3]
    assert all(torch.isfinite(value).all() for value in run.task.model.state_dict().values())
    assert all(math.isfinite(value) for value in run.monitor.epochs[-1]["val"].values())


def test_flag_on_the_device_gives_the_same_weights(
    make_run: Any, toy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    immediate = make_run(toy.config(on_non_finite="skip", ema_decay=None), task=toy.Task(batch_norm=True))
    immediate.task.before_loss = poison(3)
    immediate.fit()
    from neuroprism.train import state

    plain = state.NonFiniteGuard
    monkeypatch.setattr(state, "NonFiniteGuard", lambda *a, **k: plain(*a, **k, deferred=True))
    deferred = make_run(toy.config(on_non_finite="skip", ema_decay=0.5), task=toy.Task(batch_norm=True))
    deferred.task.before_loss = poison(3)
    deferred.fit()
    assert same_weights(immediate.task.model, deferred.task.model)
    assert [s["skipped"] for s in deferred.monitor.steps] == [s["skipped"] for s in immediate.monitor.steps]
    stopped = make_run(toy.config(log_frequency=100))
    stopped.task.before_loss = poison(3)
    with pytest.raises(TrainingError, match="at step 4;"):
        stopped.fit()
    assert stopped.monitor.n_steps == 4
    assert stopped.monitor.closed[0] == "failed"


def test_alert_that_asks_to_stop_is_obeyed(make_run: Any) -> None:
    run = make_run()
    alert = Alert(rule="r", kind="k", severity="critical", message="diverged", stop=True)
    run.task.before_evaluation = lambda: setattr(run.monitor, "stop_requested", alert)
    with pytest.raises(TrainingError, match="stopped by an alert: diverged"):
        run.fit()
    assert len(run.monitor.epochs) == 1
    assert run.monitor.closed[0] == "failed"


# Metrics of one's own


class WithMetrics(Trainer):
    def _update_metrics(self, metrics: SimpleNamespace, loss_components: Any, batch: Any) -> None:
        metrics.ratio = loss_components["number"] / loss_components["kind"]
        metrics.n_valid = float(batch["valid"].sum())


def test_metrics_of_a_subclass_reach_every_step(make_run: Any, toy: Any) -> None:
    run = make_run(trainer_class=WithMetrics)
    run.fit()
    for step in run.monitor.steps:
        assert float(step["metrics"]["ratio"]) == pytest.approx(
            float(step["losses"]["number"] / step["losses"]["kind"])
        )
        assert step["metrics"]["n_valid"] == float(step["counts"]["number"])
    averaged = make_run(toy.config(accumulation_steps=2), trainer_class=WithMetrics)
    averaged.fit()
    step = averaged.monitor.steps[0]
    assert step["metrics"]["n_valid"] == pytest.approx(float(step["counts"]["number"]) / 2)


def test_metric_named_like_a_component_is_an_error(make_run: Any) -> None:
    class Clash(Trainer):
        def _update_metrics(self, metrics: Any, loss_components: Any, batch: Any) -> None:
            metrics.kind = 1.0

    with pytest.raises(ValueError, match="'kind' is the name of a loss component"):
        make_run(trainer_class=Clash).fit()


# Modes and hardware


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


def test_two_runs_are_equal(make_run: Any, toy: Any) -> None:
    first, second = make_run(), make_run()
    first.fit()
    torch.manual_seed(123)
    second.fit()
    assert same_weights(first.task.model, second.task.model)
    assert not same_weights(first.task.model, toy.Task().model)


def test_empty_loader_and_wrong_length_are_errors(make_run: Any, toy: Any) -> None:
    with pytest.raises(Exception, match="there is no training batch"):
        make_run().fit([])

    class Promising(list):  # type: ignore[type-arg]
        def __len__(self) -> int:
            return 9

    with pytest.raises(RuntimeError, match="the loader ended after 0 of 1 batches"):
        make_run().fit(Promising(copy.copy(list(toy.loaders()[0]))))


def test_folder_is_created_below_missing_parents(make_run: Any) -> None:
    run = make_run(name="a/b/c")
    run.fit()
    assert Path(run.folder / "checkpoints" / "last.pt").is_file()
