"""The loop against a hand-written one, and everything it does along the way."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.optim import AdamW

from neuroprism.core.errors import UnknownNameError
from neuroprism.train import (
    ReproducibilityConfig,
    Trainer,
    load_checkpoint,
    seed_everything,
)
from neuroprism.train.data_order import batches_of


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
    assert toy.same_weights(run.task.model, by_hand.model)
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
    assert toy.same_weights(watched.task.model, by_hand.model)


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
    assert toy.same_weights(with_average.task.model, without.task.model)
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


def test_criterion_that_is_nan_is_told_and_never_selected(make_run: Any, toy: Any) -> None:
    stopping = {"monitor": "val/score", "mode": "max", "patience": 9}
    run = make_run(toy.config(epochs=3, early_stopping=stopping))
    scripted(run, [math.nan, -0.4, math.nan])
    result = run.fit()
    assert (result.best_epoch, result.best_value) == (2, -0.4)
    assert run.monitor.notes == [
        "training.early_stopping.monitor (val/score) was NaN in epoch 1",
        "training.early_stopping.monitor (val/score) was NaN in epoch 3",
    ]


def test_training_without_any_selection_says_so(make_run: Any, toy: Any) -> None:
    run = make_run(toy.config(epochs=2, early_stopping={"monitor": "val/score", "mode": "max"}))
    scripted(run, [math.nan, math.nan])
    result = run.fit()
    assert (result.best_epoch, result.best_value, result.best_path) == (None, None, None)
    assert not (run.folder / "checkpoints" / "best.pt").exists()
    assert len(run.monitor.notes) == 3
    assert run.monitor.notes[-1].startswith("no epoch was selected and there is no best.pt: val/score ")


def test_equal_values_keep_the_first_epoch(make_run: Any, toy: Any) -> None:
    run = make_run(toy.config(epochs=3, early_stopping={"monitor": "val/score", "mode": "max"}))
    scripted(run, [-0.4, -0.1, -0.1])
    assert run.fit().best_epoch == 2
    assert run.monitor.notes == []


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


def test_two_runs_are_equal(make_run: Any, toy: Any) -> None:
    first, second = make_run(), make_run()
    first.fit()
    torch.manual_seed(123)
    second.fit()
    assert toy.same_weights(first.task.model, second.task.model)
    assert not toy.same_weights(first.task.model, toy.Task().model)


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
