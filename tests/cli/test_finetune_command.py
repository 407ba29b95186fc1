"""`neuroprism finetune`: flags, record, resume, repeats and refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from neuroprism.cli.app import run
from neuroprism.monitor import read_events, read_run, read_steps
from neuroprism.train import load_checkpoint

FAST = [
    *("--backbone", "eegnet", "--batch_size", "8", "--quiet"),
    *("--set", "logging.use_tensorboard=false", "--set", "logging.figure=false"),
    *("--set", "training.max_steps_per_epoch=3", "--set", "training.log_frequency=2"),
]


@pytest.fixture(scope="module")
def store(eeg_store: Path) -> Path:
    return eeg_store


@pytest.fixture
def finetune(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    monkeypatch.chdir(tmp_path)

    def start(*words: str, out: str = "out", data: str | Path = store) -> int:
        given = ["--downstream_dataset", "MentalArithmetic", "--datasets_dir", str(data), "--model_dir", out]
        return run(["finetune", *given, *FAST, *words])

    return start


@pytest.fixture
def refusal(finetune: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Return the one line of a refused command, which writes nothing."""

    def refused(*words: str, **places: Any) -> str:
        before = sorted(Path.cwd().rglob("*"))
        capsys.readouterr()
        assert finetune(*words, **places) == 2
        assert sorted(Path.cwd().rglob("*")) == before
        message = capsys.readouterr().err
        assert message.count("\n") == 1
        return message

    return refused


def test_a_run_is_recorded_completely(finetune: Callable[..., int]) -> None:
    assert finetune("--epochs", "2") == 0
    folder = Path("out")
    log = json.loads((folder / "training_log.json").read_text())
    assert len(log["train_loss"]) == 2
    assert set(log["test_results"]) >= {"acc", "pr_auc", "roc_auc", "confusion_matrix", "best_epoch"}
    assert len(log["val/bce"]) == 2
    assert all(0 <= value <= 1 for value in log["train/accuracy"])
    card = read_run(folder)
    assert (card.task, card.status, card.seed) == ("MentalArithmetic", "finished", 3407)
    (component,) = card.components
    assert component.name == "bce"
    assert component.baseline == pytest.approx(0.58, abs=0.15)
    assert len(read_steps(folder)["step"]) == 6
    (test,) = [event for event in read_events(folder) if type(event).__name__ == "TestRecord"]
    assert test.per_subject
    split = json.loads((folder / "split.json").read_text())
    assert not set(split["subjects"]["train"]) & set(split["subjects"]["val"])
    said = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    assert {row["subject"] for row in said} == set(split["subjects"]["test"])
    assert len({(row["recording"], row["start_s"]) for row in said}) == len(said) == split["windows"]["test"]
    hits = [[row["output"] > 0 for row in said if row["label"] == label] for label in (0, 1)]
    assert [len(of) - sum(of) for of in hits] + [sum(of) for of in hits] == [
        *(row[0] for row in test.confusion_matrix or []),
        *(row[1] for row in test.confusion_matrix or []),
    ]
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["training"]["early_stopping"]["monitor"] == "val/roc_auc"


def test_equal_seeds_give_equal_runs_and_a_resumed_run_equals_a_whole_one(
    finetune: Callable[..., int],
) -> None:
    assert finetune("--epochs", "2", out="whole") == 0
    # The cosine reaches over all epochs, so that both runs plan for two and one of them is cut short.
    assert finetune("--epochs", "2", "--set", "training.scheduler.type=constant", out="a") == 0
    assert finetune("--epochs", "1", "--set", "training.scheduler.type=constant", out="b") == 0
    assert finetune("--epochs", "2", "--set", "training.scheduler.type=constant", "--resume", out="b") == 0
    one, other = (load_checkpoint(Path(name)).model for name in ("a", "b"))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert finetune("--epochs", "2", out="again") == 0
    one, other = (load_checkpoint(Path(name)).model for name in ("whole", "again"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_repeats_have_folders_of_their_own_and_one_summary(
    store: Path, finetune: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    loud = [word for word in FAST if word != "--quiet"]
    given = ["--downstream_dataset", "MentalArithmetic", "--datasets_dir", str(store), "--model_dir", "many"]
    assert run(["finetune", *given, *loud, "--epochs", "1", "--seeds", "0", "1"]) == 0
    shown = capsys.readouterr().out
    assert read_run("many/seed_0").seed == 0
    assert read_run("many/seed_1").seed == 1
    assert "mean of 2 [95% interval over seeds]" in shown


def test_eegmamba_trains_from_scratch(finetune: Callable[..., int], store: Path) -> None:
    words = ["--backbone", "eegmamba", "--classifier", "avgpooling_patch_reps", "--fast_dev_run"]
    assert finetune(*words, "--batch_size", "2") == 0
    rows = [json.loads(line) for line in Path("out/steps.jsonl").read_text().splitlines()]
    assert rows[0]["metric/lr_head"] == pytest.approx(5 * rows[0]["lr"])
    log = json.loads(Path("out/training_log.json").read_text())
    assert log["train/lr_head"] == pytest.approx([5 * rate for rate in log["learning_rate"]])
    notes = [event.message for event in read_events("out") if type(event).__name__ == "Note"]
    assert any("from scratch" in note for note in notes)


def test_flags_reach_the_configuration(finetune: Callable[..., int]) -> None:
    words = [
        "--epochs",
        "1",
        "--lr",
        "3e-4",
        "--weight_decay",
        "0.2",
        "--optimizer",
        "SGD",
        "--clip_value",
        "0",
    ]
    words += ["--dropout", "0.3", "--seed", "5", "--num_workers", "0", "--device", "cpu"]
    assert finetune(*words) == 0
    config = yaml.safe_load(Path("out/config.yaml").read_text())
    assert config["training"]["optimizer"]["type"] == "sgd"
    assert config["training"]["optimizer"]["learning_rate"] == pytest.approx(3e-4)
    assert config["training"]["optimizer"]["weight_decay"] == pytest.approx(0.2)
    assert config["training"]["gradient_clip"] is None
    assert config["model"]["dropout"] == pytest.approx(0.3)
    assert config["reproducibility"]["seed"] == 5


def test_a_split_of_ones_own_is_by_subject(finetune: Callable[..., int]) -> None:
    assert finetune("--epochs", "1", "--set", "data.split=by_subject") == 0
    split = json.loads(Path("out/split.json").read_text())
    assert split["published"] is False
    found = [subject for subjects in split["subjects"].values() for subject in subjects]
    assert len(found) == len(set(found)) == 4


REFUSALS = {
    "unknown dataset": (["--downstream_dataset", "MentalArithmetics"], "did you mean 'MentalArithmetic'"),
    "other dataset": (["--downstream_dataset", "TUAB"], "MentalArithmetic"),
    "unknown backbone": (["--backbone", "eegmanba"], "did you mean 'eegmamba'"),
    "unknown head": (["--backbone", "eegmamba", "--classifier", "pooling"], "model.classifier"),
    "no boolean": (["--frozen", "perhaps"], "expected true or false"),
    "two devices": (["--cuda", "0", "--device", "cpu"], "give one"),
    "classes": (["--num_of_classes", "9"], "MentalArithmetic is binary with 2 classes"),
    "frozen without weights": (["--backbone", "eegmamba", "--frozen"], "model.pretrained"),
    "missing weights": (
        ["--backbone", "eegmamba", "--use_pretrained_weights", "true"],
        "pretrained_EEGMamba.pth",
    ),
    "weights declined and named": (
        ["--foundation_dir", "w.pth", "--use_pretrained_weights", "false"],
        "--foundation_dir",
    ),
    "unknown key": (["--set", "training.epohcs=2"], "did you mean 'training.epochs'"),
    "a seed twice": (["--seeds", "1", "1"], "twice"),
    "selection by a metric of another task": (
        ["--set", "training.early_stopping.monitor=val/kapa"],
        "training.early_stopping.monitor",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_mistake_is_one_line_and_writes_nothing(case: str, refusal: Callable[..., str]) -> None:
    words, expected = REFUSALS[case]
    assert expected in refusal(*words)


def test_a_folder_without_a_store_is_refused(refusal: Callable[..., str], tmp_path: Path) -> None:
    assert "nowhere" in refusal(data="nowhere")
    assert "neuroprism prepare" in refusal(data=tmp_path)


def test_no_data_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["finetune", "--downstream_dataset", "MentalArithmetic", "--model_dir", "out"]) == 2
    assert "--datasets_dir" in capsys.readouterr().err


def test_a_finished_run_is_not_replaced_unasked(
    finetune: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert finetune("--epochs", "1") == 0
    assert finetune("--epochs", "1") == 2
    assert "--overwrite" in capsys.readouterr().err
    assert finetune("--epochs", "1", "--overwrite") == 0
