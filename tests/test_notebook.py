"""The notebook runs from top to bottom on simulated recordings and draws the training progress."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = "PhysioNet_MI_Finetuning_Test.ipynb"


def test_the_notebook_runs_and_draws(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEUROPRISM_NOTEBOOK_DIR", str(tmp_path / "out"))
    monkeypatch.delenv("NEUROPRISM_PHYSIONET_MI", raising=False)
    # Settings of other tests must not reach the kernel.
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(repository / NOTEBOOK, as_version=4)
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    step = next(
        k for k, cell in enumerate(notebook.cells) if "Step 5.5 - Visualize Training Progress" in cell.source
    )
    outputs = notebook.cells[step + 1].outputs
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert "TRAINING SUMMARY" in "".join(output.get("text", "") for output in outputs)
    log = json.loads((tmp_path / "out/physio_models_test/training_log.json").read_text())
    assert len(log["val_kappa"]) == 3
    assert set(log["test_results"]) >= {"acc", "kappa", "f1", "confusion_matrix", "best_epoch"}


def test_the_notebook_is_stored_without_output(repository: Path) -> None:
    notebook = nbformat.read(repository / NOTEBOOK, as_version=4)
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in notebook.cells)
