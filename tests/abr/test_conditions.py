"""Conditions that are drawn, read from a table, and warned about."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neuroprism.abr.conditions import draw_conditions, read_conditions, warnings_about
from neuroprism.abr.conditions_kept import KEPT, N_KEPT, keep_conditions
from neuroprism.abr.dataset import AbrDataset
from neuroprism.abr.scaler import CONDITION_NAMES
from neuroprism.abr.trained import TrainedAbr, load_trained
from neuroprism.core.errors import UserError
from neuroprism.train.checkpoint import load_checkpoint


@pytest.fixture(scope="module")
def trained(trained_run: Any) -> TrainedAbr:
    return load_trained(trained_run.folder)


def table(folder: Path, text: str) -> Path:
    path = folder / "conditions.csv"
    path.write_text(text)
    return path


def test_a_checkpoint_holds_conditions_of_training_recordings(trained_run: Any) -> None:
    recordings, task = trained_run.recordings, trained_run.task
    kept = load_checkpoint(trained_run.best).task_state[KEPT]
    assert torch.equal(kept, task.conditions)
    assert kept.shape[1] == len(CONDITION_NAMES)
    assert len(kept) <= N_KEPT
    there = np.stack([getattr(recordings, name) for name in CONDITION_NAMES], axis=1)
    for row in kept[:: len(kept) // 10].numpy():
        assert np.isclose(there, row, rtol=1e-3, atol=1e-3).all(axis=1).any()


def test_many_recordings_are_thinned_and_missing_values_stay_missing(trained_run: Any) -> None:
    recordings = trained_run.recordings
    recordings.age_years[:5] = np.nan
    try:
        rows = np.concatenate([np.arange(len(recordings))] * 3)
        batch = AbrDataset(recordings, rows, trained_run.scaler).everything
        kept = keep_conditions(batch, trained_run.scaler)
    finally:
        recordings.age_years[:5] = 1.0
    assert len(kept) == N_KEPT
    assert bool(kept[0, 0].isnan())
    assert not bool(kept[:, 1].isnan().any())


def test_drawn_conditions_are_rows_of_the_training_set(trained: TrainedAbr) -> None:
    drawn = draw_conditions(trained, 40, seed=3)
    assert set(drawn) == set(CONDITION_NAMES)
    kept = trained.task_state[KEPT].numpy()[:, :3]
    rows = np.stack([drawn[name] for name in CONDITION_NAMES[:3]], axis=1)
    assert all(np.isclose(kept, row).all(axis=1).any() for row in rows)
    # The network does not read Fmp: nothing is invented.
    assert np.isnan(drawn["fmp"]).all()
    few = draw_conditions(trained, 10, seed=3)
    np.testing.assert_array_equal(few["level_db_nhl"], drawn["level_db_nhl"][:10])
    assert (drawn["level_db_nhl"] != draw_conditions(trained, 40, seed=4)["level_db_nhl"]).any()


def test_fixed_conditions_leave_the_others_as_drawn(trained: TrainedAbr) -> None:
    free, fixed = (draw_conditions(trained, 20, seed=0, fixed=some) for some in ({}, {"level_db_nhl": 80.0}))
    assert set(fixed["level_db_nhl"]) == {80.0}
    np.testing.assert_array_equal(fixed["age_years"], free["age_years"])


def test_a_checkpoint_without_conditions_asks_for_them(trained: TrainedAbr) -> None:
    bare = replace(trained, task_state={})
    with pytest.raises(UserError, match="give age, intensity and rate, or a table of conditions") as caught:
        draw_conditions(bare, 3, seed=0, fixed={"age_years": 1.0})
    assert "\n" not in str(caught.value)
    every = {"age_years": 1.0, "level_db_nhl": 60.0, "rate_hz": 33.1}
    assert draw_conditions(bare, 3, seed=0, fixed=every)["rate_hz"].tolist() == [33.1] * 3


def test_a_table_is_read_with_either_name_and_repeated(tmp_path: Path) -> None:
    path = table(tmp_path, "Intensity, age_years\n80,\n40,2.5\n")
    found = read_conditions(path)
    assert found["level_db_nhl"].tolist() == [80, 40]
    assert np.isnan(found["age_years"][0])
    assert np.isnan(found["rate_hz"]).all()
    assert read_conditions(path, 5)["level_db_nhl"].tolist() == [80, 40, 80, 40, 80]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("intensty\n80\n", "unknown condition 'intensty'; did you mean 'intensity'"),
        ("intensity,level_db_nhl\n80,80\n", "a condition stands in two columns"),
        ("age\n2\n", "every row needs a level_db_nhl"),
        ("intensity\nloud\n", "level_db_nhl is 'loud' in row 1, not a number"),
        ("intensity\n", "has no row"),
        ("", "cannot read conditions"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_conditions(table(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_missing_table(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        read_conditions(tmp_path / "nothing.csv")


def test_conditions_outside_the_training_range_are_named_with_it(trained: TrainedAbr) -> None:
    low, high = trained.condition_ranges["level_db_nhl"]
    drawn = draw_conditions(trained, 4, seed=0)
    assert warnings_about(trained, drawn) == []
    drawn["level_db_nhl"] = np.array([low, high, high + 5, high + 10])
    drawn["age_years"][0] = np.nan
    drawn["fmp"][:] = 1.0
    said = {line.split()[0]: line for line in warnings_about(trained, drawn)}
    assert said["intensity"] == (
        f"intensity {high + 5:g} to {high + 10:g} dB nHL lies outside the training range "
        f"{low:g} to {high:g} dB nHL (2 of 4 signals)"
    )
    assert said["age"] == "age is missing for 1 of 4 signals, but never was in training"
    assert said["Fmp"] == "Fmp does nothing: the model was trained without it"
