"""Ctrl-C as a terminal sends it: to the training process and to its workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from neuroprism.train import load_checkpoint

PROGRAM = """
import sys
import torch
from torch.nn import functional as F
from torch.utils.data import TensorDataset
from neuroprism.core.records import Component
from neuroprism.monitor import Monitor
from neuroprism.train import *


class Line(Task):
    name = "line"
    components = (Component(name="signal", label="Signal"),)

    def __init__(self):
        self.model = torch.nn.Linear(1, 1)

    def losses(self, model, batch):
        return LossTerms(values={"signal": F.mse_loss(model(batch[0]), batch[1])})

    def evaluate(self, model, batches, *, compute_metrics=True):
        for batch in batches:
            error = model(batch[0]) - batch[1]
        return Evaluation(losses={"signal": float(error.square().mean())})

    def n_samples(self, batch):
        return len(batch[0])


class Ready(Trainer):
    def _update_metrics(self, metrics, loss_components, batch):
        if self.monitor.n_steps == 20:
            print("ready", flush=True)


if __name__ == "__main__":
    x = torch.linspace(-1, 1, 64)[:, None]
    settings = DataLoaderConfig(batch_size=8, num_workers=2)
    loader = make_loader(TensorDataset(x, 2 * x), settings, training=True)
    with Monitor("run", Line.components) as monitor:
        trainer = Ready(
            TrainingConfig(epochs=10**6),
            hardware=HardwareConfig(device="cpu"),
            reproducibility=ReproducibilityConfig(),
            monitor=monitor,
            folder="run",
        )
        try:
            trainer.fit(Line(), loader, loader)
        except TrainingInterrupted as error:
            print(error, file=sys.stderr)
            sys.exit(error.exit_code)
"""


def test_ctrl_c_saves_and_leaves_with_130(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    with subprocess.Popen(
        [sys.executable, "-W", "error", str(program)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("ready"):
                break
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "continue with --resume run/checkpoints/last.pt" in errors
    assert "Traceback" not in errors
    checkpoint = load_checkpoint(tmp_path / "run")
    assert checkpoint.step > 20
    rows = (tmp_path / "run" / "steps.jsonl").read_text().splitlines()
    assert len(rows) == checkpoint.step
    assert '"status": "interrupted"' in (tmp_path / "run" / "run.json").read_text()
