"""Every declared dataset goes the whole way: raw files, prepared windows, training, a complete log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from neuroprism.cli.app import run
from neuroprism.eeg.catalog import datasets
from neuroprism.eeg.store import EegStore
from neuroprism.eeg.store_index import SPLITS

DOCUMENTED = (
    "train_loss",
    "val_acc",
    "val_kappa",
    "val_f1",
    "val_pr_auc",
    "val_roc_auc",
    "val_corrcoef",
    "val_r2",
    "val_rmse",
    "learning_rate",
    "epoch_time",
    "test_results",
)
APPLIES = {
    "multiclass": {"val_acc", "val_kappa", "val_f1"},
    "binary": {"val_acc", "val_pr_auc", "val_roc_auc"},
    "regression": {"val_corrcoef", "val_r2", "val_rmse"},
}
TESTED = {
    "multiclass": {"acc", "kappa", "f1", "confusion_matrix", "best_epoch"},
    "binary": {"acc", "pr_auc", "roc_auc", "confusion_matrix", "best_epoch"},
    "regression": {"corrcoef", "r2", "rmse", "best_epoch"},
}


@pytest.mark.parametrize("name", sorted(datasets))
def test_raw_recordings_become_a_trained_network(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    spec = datasets[name].spec
    assert run(["simulate", "eeg", name, "raw", "--subjects", "3", "--seed", "1"]) == 0
    assert run(["prepare", name, "raw", "store"]) == 0, capsys.readouterr().err
    store = EegStore.open(Path("store"), name)
    rows = {split: store.indices(split) for split in SPLITS}
    assert all(len(found) for found in rows.values())
    if not spec.within_subject:
        subjects = [set(store.subjects[found].tolist()) for found in rows.values()]
        assert sum(map(len, subjects)) == len(set.union(*subjects))
    words = ["--downstream_dataset", name, "--datasets_dir", "store", "--model_dir", "out"]
    words += ["--backbone", "eegnet", "--batch_size", "4", "--epochs", "2", "--quiet"]
    words += ["--set", "training.max_steps_per_epoch=2"]
    words += ["--set", "logging.use_tensorboard=false", "--set", "logging.figure=false"]
    assert run(["finetune", *words]) == 0, capsys.readouterr().err
    log = json.loads(Path("out/training_log.json").read_text())
    assert set(DOCUMENTED) <= set(log)
    for key in DOCUMENTED[1:9]:
        assert len(log[key]) == (2 if key in APPLIES[spec.task] else 0), key
    assert len(log["train_loss"]) == len(log["learning_rate"]) == len(log["epoch_time"]) == 2
    # A class that two short batches lack leaves its metric undefined, and then it is absent.
    assert set(log["test_results"]) >= TESTED[spec.task] - {"kappa", "roc_auc", "pr_auc", "corrcoef", "r2"}
    manifest = json.loads(Path("out/split.json").read_text())
    assert manifest["dataset"] == name
    assert manifest["store"] == store.fingerprint()
