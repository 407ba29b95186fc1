from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

HEAVY = {
    "torch", "matplotlib", "tensorboard", "pandas", "pydantic", "wandb", "trackio", "sklearn", "scipy",
    "yaml", "tqdm", "lightning_fabric", "torchmetrics",
}  # fmt: skip


def modules_after(code: str, *arguments: str) -> set[str]:
    program = f"import sys, json\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, check=True, timeout=60
    )
    return {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def test_the_import_brings_none_of_the_heavy_libraries() -> None:
    loaded = modules_after("import neuroprism.monitor")
    assert "neuroprism" in loaded
    assert loaded & HEAVY == set()


def test_a_run_from_floats_never_imports_torch_or_matplotlib(tmp_path: Path) -> None:
    code = """
from neuroprism.monitor import Monitor
with Monitor(sys.argv[1], {"mse": 1.0}, config={"a": 1}) as monitor:
    monitor.step({"mse": float("nan")}, lr=0.1)
    monitor.epoch(val={"mse": 0.5}, metrics={"f1": 0.5})
    monitor.test(metrics={"f1": 0.5})
"""
    loaded = modules_after(code, str(tmp_path / "run"))
    assert loaded & {"torch", "matplotlib", "tensorboard", "pandas", "wandb", "trackio"} == set()
