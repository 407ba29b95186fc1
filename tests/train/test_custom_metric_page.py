"""docs/custom_metric.md does what it says: its code runs and the metric arrives everywhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest


def code_of(page: Path) -> str:
    return "\n".join(re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL))


def test_page_runs_and_the_metric_reaches_every_file(
    repository: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(code_of(repository / "docs" / "custom_metric.md"), "custom_metric.md", "exec"), names)
    folder = tmp_path / "logs" / "line"
    rows = [json.loads(line) for line in (folder / "steps.jsonl").read_text().splitlines()]
    assert len(rows) == 12
    for row in rows:
        assert row["metric/gap"] == pytest.approx(row["loss/signal"] - row["loss/slope"], abs=1e-6)
        assert 0 < row["metric/largest_input"] <= 1
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    means = [event["train_metrics"]["gap"] for event in events if event["event"] == "epoch"]
    expected = [np.mean([row["metric/gap"] for row in rows if row["epoch"] == epoch]) for epoch in (1, 2, 3)]
    assert means == pytest.approx(expected)
    log = json.loads((folder / "training_log.json").read_text())
    assert log["train/gap"] == pytest.approx(expected)
    assert names["result"].best_epoch is not None  # type: ignore[attr-defined]
    assert str(means[-1]) in capsys.readouterr().out
