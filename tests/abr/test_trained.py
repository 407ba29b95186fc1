"""A checkpoint becomes a network with its units and names, or one line that says why not."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neuroprism.abr.trained import load_trained
from neuroprism.core.errors import DataError, UserError
from neuroprism.train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint


@pytest.fixture
def rewritten(trained_run: Any, tmp_path: Path) -> Any:
    """Return a writer of checkpoints of which one thing was changed."""

    def write(**changes: Any) -> Path:
        path = tmp_path / "changed.pt"
        save_checkpoint(path, replace(load_checkpoint(trained_run.best), **changes))
        return path

    return write


def refusal(path: Any, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        load_trained(path, **options)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_bundle_holds_units_names_and_ranges(trained_run: Any) -> None:
    trained = load_trained(trained_run.folder)
    assert trained.class_names == trained_run.recordings.class_names
    assert trained.scaler == trained_run.scaler
    assert trained.sample_rate_hz == trained_run.recordings.sample_rate_hz
    assert trained.window_ms == pytest.approx(12.8)
    np.testing.assert_array_equal(trained.time_ms, trained_run.recordings.time_ms)
    assert trained.has_null_condition
    assert set(trained.condition_ranges) == {"age_years", "level_db_nhl", "rate_hz", "fmp"}
    low, high = trained.signal_range_uv
    signal = trained_run.recordings.signal_uv
    assert signal.min() <= low < 0 < high <= signal.max()
    assert trained.schedule.n_steps == trained.config.diffusion.noise_schedule.num_timesteps


def test_a_folder_gives_the_selected_epoch_with_its_average(trained_run: Any) -> None:
    trained = load_trained(trained_run.folder)
    assert (trained.path, trained.epoch) == (trained_run.best, 3)
    stored = load_checkpoint(trained_run.best)
    for name, value in trained.network.named_parameters():  # type: ignore[attr-defined]
        torch.testing.assert_close(value, stored.average[name])
        assert not value.requires_grad
    assert not trained.network.training  # type: ignore[attr-defined]


def test_last_weights_and_a_folder_without_best(trained_run: Any, tmp_path: Path) -> None:
    assert load_trained(trained_run.folder, weights="last").epoch == 4
    (tmp_path / "checkpoints").mkdir()
    shutil.copy(trained_run.last, tmp_path / "checkpoints" / "last.pt")
    assert load_trained(tmp_path).epoch == 4
    assert load_trained(str(tmp_path / "checkpoints")).epoch == 4


def test_loading_twice_gives_the_same_network_and_leaves_the_random_state(trained_run: Any) -> None:
    before = torch.get_rng_state()
    first, second = (load_trained(trained_run.best) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    signal, condition = torch.zeros(2, 1, first.n_times), torch.zeros(2, 4)
    missing = torch.zeros(2, 4, dtype=torch.bool)
    for one, other in zip(
        first.network.predict_tasks(signal, condition, missing),
        second.network.predict_tasks(signal, condition, missing),
        strict=True,
    ):
        assert torch.equal(one, other)


def test_a_condition_that_training_lacked_has_no_range(rewritten: Any, trained_run: Any) -> None:
    state = load_checkpoint(trained_run.best).task_state
    state["scaler"]["conditions"]["age_years"] = {"mean": 0.0, "sd": 1.0, "median": 0.0}
    assert "age_years" not in load_trained(rewritten(task_state=state)).condition_ranges


def test_origin_is_read_from_the_run(trained_run: Any, tmp_path: Path) -> None:
    from neuroprism.core.records import Component
    from neuroprism.monitor import Monitor
    from neuroprism.monitor.sinks import RunFile

    with Monitor(tmp_path / "run", [Component(name="signal", label="S")], sinks=[RunFile()]) as monitor:
        monitor.step({"signal": 1.0})
    (tmp_path / "run" / "checkpoints").mkdir()
    shutil.copy(trained_run.best, tmp_path / "run" / "checkpoints" / "best.pt")
    trained = load_trained(tmp_path / "run")
    assert trained.run_id
    assert trained.provenance["run_id"] == trained.run_id
    assert trained.provenance["config_hash"] == load_checkpoint(trained_run.best).config_hash
    assert "run_id" not in load_trained(trained_run.best).provenance
    (tmp_path / "run" / "run.json").write_text("{")
    assert load_trained(tmp_path / "run").run_id is None


def test_missing_files_are_named_with_the_nearest(trained_run: Any, tmp_path: Path) -> None:
    near = trained_run.best.with_name("bests.pt")
    assert refusal(near) == f"checkpoint {near} does not exist; did you mean 'best.pt'?"
    assert refusal(tmp_path / "nothing") == f"checkpoint {tmp_path / 'nothing'} does not exist"
    assert "holds no checkpoint: no best.pt or last.pt" in refusal(tmp_path)
    assert "'first'" in refusal(trained_run.folder, weights="first")
    assert "'tpu'" in refusal(trained_run.folder, device="tpu")


def test_damaged_and_foreign_files(trained_run: Any, tmp_path: Path) -> None:
    whole = trained_run.best.read_bytes()
    (tmp_path / "cut.pt").write_bytes(whole[: len(whole) // 2])
    assert "is damaged or was not written by neuroprism" in refusal(tmp_path / "cut.pt")
    torch.save({"state_dict": {}}, tmp_path / "other.pt")
    assert refusal(tmp_path / "other.pt") == f"{tmp_path / 'other.pt'} is no checkpoint of neuroprism"


@pytest.mark.parametrize("version", [0, 99, None])
def test_another_version(trained_run: Any, tmp_path: Path, version: int | None) -> None:
    content = torch.load(trained_run.best, weights_only=True)
    content["schema"] = version
    torch.save(content, tmp_path / "old.pt")
    assert f"has version {version}; this program reads version 1" in refusal(tmp_path / "old.pt")


def test_another_task(rewritten: Any, tmp_path: Path) -> None:
    path = rewritten(task="MentalArithmetic", task_state={"dataset": "MentalArithmetic"}, config={})
    assert refusal(path) == f"checkpoint {path} is of the EEG dataset MentalArithmetic, not of an ABR network"
    save_checkpoint(path, Checkpoint(epoch=1, batch=0, step=1, task="letters", model={}))
    assert refusal(path) == f"checkpoint {path} is of the task 'letters', not of an ABR network"


@pytest.mark.parametrize("name", ["scaler", "class_names"])
def test_without_scaler_or_names(rewritten: Any, trained_run: Any, name: str) -> None:
    state = load_checkpoint(trained_run.best).task_state
    del state[name]
    assert "lacks" in refusal(rewritten(task_state=state))
    assert name.split("_")[0] in refusal(rewritten(task_state=state))


def test_a_scaler_with_a_gap_or_other_classes(rewritten: Any, trained_run: Any) -> None:
    state = load_checkpoint(trained_run.best).task_state
    whole = dict(state["scaler"])
    del state["scaler"]["condition_range"]
    assert "'condition_range'" in refusal(rewritten(task_state=state))
    state |= {"scaler": whole, "class_names": ["a", "b"]}
    assert "other classes" in refusal(rewritten(task_state=state))


def test_a_configuration_of_another_version(rewritten: Any, trained_run: Any) -> None:
    config = load_checkpoint(trained_run.best).config
    config["model"]["use_fpm"] = True
    path = rewritten(config=config)
    assert "unknown key 'model.use_fpm'; did you mean 'model.use_fmp'?" in refusal(path)
    config = load_checkpoint(trained_run.best).config
    del config["diffusion"]
    assert "lacks the section 'diffusion'" in refusal(rewritten(config=config))


def test_weights_of_another_network(rewritten: Any, trained_run: Any) -> None:
    config = load_checkpoint(trained_run.best).config
    config["model"]["architecture"]["base_channels"] = 16
    with pytest.raises(DataError, match="does not fit this model"):
        load_trained(rewritten(config=config))


def test_an_older_checkpoint_knows_no_look_of_its_signals(rewritten: Any, trained_run: Any) -> None:
    assert load_trained(trained_run.best).profile == trained_run.task.profile
    state = load_checkpoint(trained_run.best).task_state
    del state["signal_profile"]
    assert load_trained(rewritten(task_state=state)).profile is None
    state["signal_profile"] = {"mean": []}
    assert "not the state of a signal profile" in refusal(rewritten(task_state=state))


def test_sections_that_concern_training_only_may_be_of_another_version(
    rewritten: Any, trained_run: Any
) -> None:
    config = load_checkpoint(trained_run.best).config
    config["monitoring"]["rules"]["earlier_rule"] = {"patience": 3}
    config["training"]["earlier_key"] = 1
    assert load_trained(rewritten(config=config)).config.model == load_trained(trained_run.best).config.model
