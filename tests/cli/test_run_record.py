"""What a finished run leaves behind can be read back, and says what happened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from neuroprism.abr import AbrConfig, AbrScaler, AbrTask, load_recordings
from neuroprism.abr.dataset import AbrDataset
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.splits import read_split
from neuroprism.cli.app import run
from neuroprism.core.config import load, to_dict
from neuroprism.train import load_checkpoint, load_weights

COMPONENTS = ["signal", "classification", "peak_exist", "peak_latency", "peak_amplitude", "threshold"]


@pytest.fixture(scope="module")
def card(finished: Any) -> dict[str, Any]:
    return json.loads((finished.run_folder() / "run.json").read_text())


@pytest.fixture(scope="module")
def board(finished: Any) -> EventAccumulator:
    accumulator = EventAccumulator(str(finished.run_folder()), size_guidance={"scalars": 0, "histograms": 0})
    accumulator.Reload()
    return accumulator


def test_total_is_the_weighted_sum_in_every_row(finished: Any, card: dict[str, Any]) -> None:
    weights = {component["name"]: component["weight"] for component in card["components"]}
    assert weights == {
        **dict.fromkeys(COMPONENTS, 1.0),
        "signal": 0.7,
        "threshold": 1.9,
        "peak_latency": 0.0,
    }
    rows = finished.rows()
    assert len(rows) == 6
    for row in rows:
        total = sum(weight * row[f"loss/{name}"] for name, weight in weights.items())
        assert row["loss/total"] == pytest.approx(total, rel=1e-6)


def test_rows_number_steps_without_gap(finished: Any) -> None:
    rows = finished.rows()
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row["epoch"] for row in rows] == [1, 1, 1, 2, 2, 2]
    assert all(row["lr"] > 0 and row["grad_norm"] > 0 for row in rows)


def test_card_is_that_of_a_finished_run(card: dict[str, Any]) -> None:
    assert card["status"] == "finished"
    assert [component["name"] for component in card["components"]] == COMPONENTS
    labels = [component["label"] for component in card["components"]]
    assert labels == ["Signal", "Class", "Peak", "PeakLat", "PeakAmp", "Thresh"]
    assert all(0.2 < component["baseline"] < 2.0 for component in card["components"])


def test_configuration_loads_again(finished: Any) -> None:
    stored = finished.run_folder() / "config.yaml"
    assert to_dict(load(AbrConfig, file=stored)) == yaml.safe_load(stored.read_text())


def test_split_is_stored_and_no_patient_stands_in_two(finished: Any, recordings: AbrRecordings) -> None:
    path = finished.run_folder() / "split.json"
    patients = json.loads(path.read_text())["patients"]
    everybody = [name for names in patients.values() for name in names]
    assert len(everybody) == len(set(everybody)) == recordings.n_patients
    split = read_split(path, recordings)
    assert len(split.train) + len(split.val) + len(split.test) == len(recordings)


def test_scalar_series_of_steps_and_epochs(finished: Any, board: EventAccumulator) -> None:
    rows, epochs = finished.rows(), finished.events("epoch")
    tags = set(board.Tags()["scalars"])
    for name in [*COMPONENTS, "total"]:
        by_step = {event.step: event.value for event in board.Scalars(f"step/{name}")}
        assert by_step == pytest.approx({n: rows[n - 1][f"loss/{name}"] for n in (1, 2, 4, 6)}, rel=1e-6)
        for split in ("train", "val"):
            by_epoch = {event.step: event.value for event in board.Scalars(f"{split}/{name}")}
            assert by_epoch == pytest.approx(
                {event["epoch"]: event[split][name] for event in epochs}, rel=1e-6
            )
    for name in COMPONENTS:
        assert {f"loss_breakdown/{name}", f"loss_share/{name}", f"test/{name}"} <= tags
    assert {"step/lr", "step/grad_norm", "val/balanced_accuracy", "val/threshold_mae_db"} <= tags


def test_breakdown_adds_up_to_the_total(finished: Any, board: EventAccumulator) -> None:
    for epoch in finished.events("epoch"):
        parts = [
            event.value
            for name in COMPONENTS
            for event in board.Scalars(f"loss_breakdown/{name}")
            if event.step == epoch["epoch"]
        ]
        assert sum(parts) == pytest.approx(epoch["train"]["total"], rel=1e-5)


def test_histograms_and_layout(board: EventAccumulator, finished: Any) -> None:
    tags = board.Tags()
    names = load_checkpoint(finished.run_folder()).model
    for group in ("weights", "gradients"):
        found = [tag for tag in tags["histograms"] if tag.startswith(f"{group}/")]
        assert len(found) >= 0.9 * len(names)
        assert [event.step for event in board.Histograms(found[0])] == [1, 2]
    assert "custom_scalars__config__" in tags["tensors"]


def test_training_log_holds_every_series(finished: Any) -> None:
    log = json.loads((finished.run_folder() / "training_log.json").read_text())
    epochs = finished.events("epoch")
    for name in [*COMPONENTS, "total"]:
        for split in ("train", "val"):
            assert log[f"{split}/{name}"] == pytest.approx([event[split][name] for event in epochs])
    assert log["train_loss"] == log["train/total"]
    assert log["learning_rate"] == [1e-3, 1e-3]
    assert {f"test/{name}" for name in COMPONENTS} <= set(log["test_results"])


def test_text_log_has_the_lines_of_the_console(finished: Any) -> None:
    text = (finished.run_folder() / "training.log").read_text()
    assert "Step 2 - Total: " in text
    assert "Epoch 2/2 Summary:" in text
    assert "Baseline - Signal: " in text


def test_figure_is_drawn(finished: Any) -> None:
    figures = finished.run_folder() / "figures"
    assert (figures / "training_progress.png").read_bytes().startswith(b"\x89PNG")
    assert (figures / "training_progress.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("name", ["last.pt", "best.pt"])
def test_checkpoint_carries_what_prediction_needs(
    name: str, finished: Any, recordings: AbrRecordings
) -> None:
    path = finished.run_folder() / "checkpoints" / name
    content = torch.load(path, weights_only=True)
    assert content["config"] == finished.config()
    assert content["task_state"]["class_names"] == list(recordings.class_names)
    scaler = AbrScaler.from_state_dict(content["task_state"]["scaler"])
    split = read_split(finished.run_folder() / "split.json", recordings)
    assert scaler == AbrScaler.fit(recordings.select(split.train))
    assert content["average"] is not None


def test_test_split_is_judged_once_by_the_selected_weights(finished: Any) -> None:
    (test,) = finished.events("test")
    best = [event for event in finished.events("checkpoint") if event["reason"] == "best"][-1]
    assert test["best_epoch"] == best["epoch"]
    assert set(COMPONENTS) <= set(test["losses"])


def test_plot_reads_the_data_of_the_run(finished: Any, tmp_path: Path) -> None:
    assert load_recordings(finished.data).n_patients == 30
    assert run(["plot", "abr", str(finished.data), "--out", str(tmp_path / "series.png")]) == 0


@pytest.mark.parametrize("split_name", ["val", "test"])
def test_selected_weights_give_the_recorded_losses_again(
    split_name: Any, finished: Any, recordings: AbrRecordings
) -> None:
    folder = finished.run_folder()
    config = load(AbrConfig, file=folder / "config.yaml")
    checkpoint = load_checkpoint(folder / "checkpoints" / "best.pt")
    scaler = AbrScaler.from_state_dict(checkpoint.task_state["scaler"])
    split = read_split(folder / "split.json", recordings)
    train, val, judged = (
        AbrDataset(recordings, split[name], scaler).everything for name in ("train", "val", split_name)
    )
    task = AbrTask(config, scaler, training=train, validation=val)
    load_weights(task.model, checkpoint)
    task.model.eval()
    rows = torch.arange(len(judged)).split(config.data.dataloader.batch_size)
    with torch.no_grad():
        found = task.evaluate(task.model, [judged.select(part) for part in rows])
    if split_name == "test":
        recorded = finished.events("test")[0]["losses"]
    else:
        recorded = finished.events("epoch")[checkpoint.epoch - 1]["val"]
    assert found.losses == {name: recorded[name] for name in COMPONENTS}
