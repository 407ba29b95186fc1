"""One row for each combination."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from neuroprism.core.errors import UnknownNameError
from neuroprism.runs.sweep import PlannedRun, SweepConfig, plan, sweep_table


@pytest.fixture
def runs(record_run: Callable[..., Path], tmp_path: Path) -> list[PlannedRun]:
    """Three seeds of one network; of another one, one that finished and one that failed; none of a third."""
    for seed in (0, 1, 2):
        record_run(f"backbone=eegnet/seed_{seed}", 0.70 + 0.01 * seed, seed=seed)
    for seed in (0, 1):
        failed = record_run(f"backbone=eegmamba/seed_{seed}", 0.6 + seed, seed=seed, metric="r2") / "run.json"
    failed.write_text(json.dumps(json.loads(failed.read_text()) | {"status": "failed"}))
    sweep = SweepConfig(
        command="finetune",
        out=tmp_path,
        grid={"model.backbone": ["eegnet", "eegmamba", "own:Net"]},
        seeds=[0, 1, 2],
    )
    return plan(sweep)


def cells(table: str) -> list[list[str]]:
    return [line.split() for line in table.splitlines()[1:]]


def test_means_and_intervals_over_seeds(runs: list[PlannedRun]) -> None:
    header, *rows = cells(sweep_table(runs))
    assert header == ["backbone", "runs", "metric", "validation", "test"]
    # Student's t with 2 degrees of freedom: 4.3027 * 0.01 / sqrt(3) = 0.0248.
    assert rows == [
        [
            "eegnet",
            "3",
            "balanced",
            "accuracy",
            "0.7100",
            "[0.6852,",
            "0.7348]",
            "0.6100",
            "[0.5852,",
            "0.6348]",
        ],
        ["eegmamba", "1", "of", "3", "R²", "0.6000", "0.5000"],
        ["own:Net", "0", "of", "3", "-", "-", "-"],
    ]


def test_a_metric_that_was_asked_for(runs: list[PlannedRun]) -> None:
    _, row, *_ = cells(sweep_table(runs[:3], metric="val/total"))
    assert row[2:4] == ["loss", "0.6000"]
    with pytest.raises(UnknownNameError, match="did you mean"):
        sweep_table(runs[:3], metric="val_ac")
