"""`neuroprism suggest-weights`, and what `loss.balancing` leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import pytest
import yaml

from neuroprism.abr.loss_config import WEIGHT_KEYS, BalancingName, LossWeights
from neuroprism.cli.app import run
from neuroprism.train.balancing import balancings


def fragment(text: str) -> dict[str, float]:
    weights: dict[str, float] = yaml.safe_load(text[text.index("loss:\n") :])["loss"]["weights"]
    return weights


def test_keys_are_those_of_the_configuration() -> None:
    numbers = {key: float(n) for n, key in enumerate(WEIGHT_KEYS.values())}
    weights = LossWeights(**numbers).by_component()
    assert weights == {name: numbers[key] for name, key in WEIGHT_KEYS.items()}
    assert set(numbers) == set(LossWeights.model_fields)
    assert set(get_args(BalancingName)) == {"fixed", *balancings}


def test_suggested_weights_can_be_trained_with(program: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.train("--epochs", "4", monitoring__gradients__every_n_steps=2) == 0
    looks = program.events("gradients")
    assert [look["step"] for look in looks] == [1, 2, 4, 6, 8, 10, 12]
    capsys.readouterr()
    assert run(["suggest-weights", str(program.run_folder())]) == 0
    text = capsys.readouterr().out
    assert "equal weighted gradient norms" in text
    weights = fragment(text)
    assert list(weights) == list(WEIGHT_KEYS.values())
    assert sum(weights.values()) == pytest.approx(6, rel=0.01)
    settings = {f"loss__weights__{name}": value for name, value in weights.items()}
    assert program.train("--epochs", "1", experiment="y", **settings) == 0
    assert program.config("y")["loss"]["weights"] == weights


def test_a_run_that_was_not_looked_at_is_judged_by_its_baselines(
    program: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.train("--epochs", "1", monitoring__gradients__every_n_steps=0) == 0
    assert program.events("gradients") == []
    capsys.readouterr()
    assert run(["suggest-weights", str(program.run_folder())]) == 0
    text = capsys.readouterr().out
    assert "baselines" in text
    assert set(fragment(text)) == set(WEIGHT_KEYS.values())


def test_no_run_is_one_line(program: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["suggest-weights", str(program.folder / "nothing")]) == 2
    assert capsys.readouterr().err.startswith("neuroprism: no run or training log at ")


@pytest.mark.parametrize("name", sorted(balancings))
def test_total_of_a_balanced_run_follows_its_weights(program: Any, name: str) -> None:
    assert program.train("--epochs", "2", loss__balancing=name, loss__weights__threshold=0.0) == 0
    for row in program.rows():
        parts = [row[f"weight/{c}"] * row[f"loss/{c}"] for c in WEIGHT_KEYS if f"loss/{c}" in row]
        assert row["loss/total"] == pytest.approx(sum(parts), rel=1e-6)
        assert row["weight/threshold"] == 0
    for epoch in program.events("epoch"):
        parts = [epoch["weights"][c] * epoch["train"][c] for c in epoch["weights"]]
        assert epoch["train"]["total"] == pytest.approx(sum(parts), rel=1e-6)
    assert any(f"({name})" in note["message"] for note in program.events("note"))


def test_fixed_weights_leave_no_trace(program: Any) -> None:
    assert program.train("--epochs", "1") == 0
    assert not any(key.startswith("weight/") for row in program.rows() for key in row)
    assert all("weights" not in epoch for epoch in program.events("epoch"))


def test_wrong_balancings_are_refused(refused: Callable[..., str]) -> None:
    assert "did you mean 'uncertainty'" in refused(loss__balancing="uncertainly")
    line = refused(loss__balancing="upgrad", hardware__compile_model=True)
    assert "set hardware.compile_model to false" in line
