from __future__ import annotations

import pytest

from neuroprism.runs.traces.series_names import canonical, is_metric, renaming


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("loss/signal", "loss/signal"),
        ("loss/total", "loss/total"),
        ("val/peak", "val/peak"),
        ("grad_norm/peak", "grad_norm/peak"),
        ("weight/peak", "weight/peak"),
        ("loss", "loss/total"),
        ("Loss/train", "loss/total"),
        ("train_loss", "loss/total"),
        ("train/loss", "loss/total"),
        ("train_loss_step", "loss/total"),
        ("train_loss_epoch", "train/total"),
        ("val_loss", "val/total"),
        ("eval_loss", "val/total"),
        ("eval/loss", "val/total"),
        ("Loss/val", "val/total"),
        ("loss_signal", "loss/signal"),
        ("signal_loss", "loss/signal"),
        ("train_signal_loss", "loss/signal"),
        ("train_signal_loss_epoch", "train/signal"),
        ("val_signal_loss", "val/signal"),
        ("val_loss_signal", "val/signal"),
        ("eval_accuracy", "val/accuracy"),
        ("learning_rate", "lr"),
        ("train/learning_rate", "lr"),
        ("lr-AdamW", "lr"),
        ("gradient_norm", "grad_norm"),
        ("time_per_step", "step_seconds"),
        ("global_step", "step"),
        ("Epoch", "epoch"),
        ("step/signal", "loss/signal"),
        ("step/metric/gain", "metric/gain"),
        ("test_loss", None),
        ("best_loss", None),
        ("accuracy", None),
        ("_timestamp", None),
    ],
)
def test_what_series_are_called(theirs: str, ours: str | None) -> None:
    assert canonical(theirs) == ours


def test_a_name_as_it_is_here_goes_before_its_aliases() -> None:
    assert renaming(["learning_rate", "lr", "loss/a"], {}) == {"lr": "lr", "loss/a": "loss/a"}


def test_endings_stay_where_losses_have_their_prefix() -> None:
    own = renaming(["loss/aux_loss", "val/aux_loss"], {})
    assert own == {"loss/aux_loss": "loss/aux_loss", "val/aux_loss": "val/aux_loss"}
    foreign = renaming(["train/aux_loss", "val/aux_loss"], {})
    assert foreign == {"train/aux_loss": "train/aux", "val/aux_loss": "val/aux"}


def test_a_given_name_takes_the_place_of_a_guess() -> None:
    assert renaming(["loss", "obj"], {"obj": "loss/total"}) == {"obj": "loss/total"}


@pytest.mark.parametrize(
    ("name", "expected"), [("accuracy", True), ("top_acc", True), ("signal", False), ("lr_head", True)]
)
def test_metrics_are_told_from_losses(name: str, expected: bool) -> None:
    assert is_metric(name) is expected
