from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

from neuroprism.core.errors import DataError
from neuroprism.runs.traces import read_trace
from neuroprism.runs.traces.csv_rows import read_csv


def lightning(folder: Path, *, n_steps: int = 300, every: int = 10, per_epoch: int = 100) -> Path:
    """Write `metrics.csv` as Lightning's CSVLogger does: a sparse row for each call of `log_metrics`."""
    names = ["epoch", "lr-Adam", "step", "train_loss_epoch", "train_loss_step", "val_acc", "val_loss"]
    folder.mkdir(parents=True)
    with (folder / "metrics.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        for step in range(n_steps):
            epoch, loss = step // per_epoch, 0.1 + 2 * math.exp(-step / 100)
            if step % every == every - 1:
                writer.writerow({"lr-Adam": 1e-3, "step": step})
                writer.writerow({"epoch": epoch, "step": step, "train_loss_step": loss})
            if step % per_epoch == per_epoch - 1:
                writer.writerow({"epoch": epoch, "step": step, "val_acc": 0.5, "val_loss": loss + 0.1})
                writer.writerow({"epoch": epoch, "step": step, "train_loss_epoch": loss + 0.05})
    return folder


def test_metrics_of_lightning(tmp_path: Path) -> None:
    trace = read_trace(lightning(tmp_path / "version_0"))
    assert trace.name == "version_0"
    assert [c.name for c in trace.facts.components] == ["loss"]
    assert trace.steps.step.tolist() == list(range(9, 300, 10))
    assert trace.steps.epoch.tolist() == [0] * 10 + [1] * 10 + [2] * 10
    assert set(trace.steps.lr.tolist()) == {1e-3}
    assert [(e.epoch, e.step) for e in trace.epochs] == [(0, 99), (1, 199), (2, 299)]
    last = 0.1 + 2 * math.exp(-2.99)
    assert trace.epochs[-1].val == pytest.approx({"loss": last + 0.1, "total": last + 0.1})
    assert trace.epochs[-1].train == pytest.approx({"loss": last + 0.05, "total": last + 0.05})
    assert trace.epochs[-1].val_metrics == {"acc": 0.5}


def test_one_row_an_epoch(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    rows = "".join(f"{k},0.5,{2 / (k + 1)},0.4,{3 / (k + 1)}\n" for k in range(20))
    path.write_text("epoch,accuracy,loss,val_accuracy,val_loss\n" + rows)
    trace = read_trace(path)
    assert trace.name == "history"
    assert trace.steps.losses[:, 0].tolist() == [2 / (k + 1) for k in range(20)]
    assert [(e.epoch, e.step) for e in trace.epochs] == [(k, k + 1) for k in range(20)]
    assert trace.epochs[3].val["loss"] == 0.75
    assert trace.epochs[3].train["loss"] == 0.5


def test_losses_by_their_ending(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("iter,loss,signal_loss,peak_loss,learning_rate,note\n1,3,2,1,0.1,a\n2,2.5,1.5,1,0.1,b\n")
    trace = read_trace(path)
    assert [c.name for c in trace.facts.components] == ["signal", "peak"]
    assert trace.steps.total.tolist() == [3.0, 2.5]
    assert trace.steps.lr.tolist() == [0.1, 0.1]


def test_cells(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text('\ufeffa;b;"c d"\r\n1;nan;x\r\n;Infinity;\r\n\r\n2e3; -inf ;y\r\n', encoding="utf-8")
    table = read_csv(path, [])
    assert table.n_rows == 3
    assert set(table.columns) == {"a", "b"}
    assert table["a"].given.tolist() == [True, False, True]
    assert str(table["b"].values.tolist()) == "[nan, inf, -inf]"
    assert table["b"].given.all()


def test_a_torn_last_row_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("step,loss\n1,2\n2,1\n3")
    notes: list[str] = []
    assert read_csv(path, notes).n_rows == 2
    assert notes == ["log.csv, line 4 is incomplete and was left out"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2\n3,4\n", "first line names no columns"),
        ("step,loss\n", "no row"),
        ("step,loss\n1,2\n3\n4,5\n", "line 3 has 1 cells, the header 2"),
        ("loss,loss\n1,2\n", "column 'loss' stands twice"),
        ("step," + "a" * (2 << 20), "longer than 1 MiB"),
        (",".join(f"c{k}" for k in range(5000)), "more than 4096 columns"),
        ('step,loss\n1,"' + "9" * 200_000 + '"\n', "not CSV"),
    ],
)
def test_what_is_no_csv(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_csv(path, [])
