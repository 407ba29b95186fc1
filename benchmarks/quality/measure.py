"""How good the shipped ABR network is on simulated patients, measured once in about an hour.

Simulates patients for training and others for the test, trains the shipped configuration, evaluates it, and
writes the report beside this file. What exists in the working folder already is used again.

    python benchmarks/quality/measure.py WORK [--patients N] [--fresh N] [--epochs N]
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
CONFIG = FOLDER.parent.parent / "configs" / "config.yaml"
SEED, FRESH_SEED = 1, 77
EXPERIMENT = "quality"


def measure(work: Path, *, n_patients: int, n_fresh: int, n_epochs: int, n_ceiling: int) -> None:
    """Do everything that is missing in `work` and write RESULTS.md."""
    work.mkdir(parents=True, exist_ok=True)
    os.chdir(work)
    for path, patients, seed in (("training.npz", n_patients, SEED), ("fresh.npz", n_fresh, FRESH_SEED)):
        if not Path(path).exists():
            neuroprism(
                "simulate", "abr", path, "--patients", patients, "--seed", seed, "--preset", "clinical"
            )
    run = Path("logs") / EXPERIMENT
    if not (run / "checkpoints" / "best.pt").exists():
        data = ("--set", "data.dataset_path=training.npz", "--set", "data.signal_target=clean")
        neuroprism(
            "train", "--config", CONFIG, "--experiment", EXPERIMENT, *data, "--epochs", n_epochs, "--quiet"
        )
    neuroprism(
        "evaluate",
        run,
        "evaluation",
        "--data",
        "fresh.npz",
        "--ceiling",
        n_ceiling,
        "--no-figures",
        "--overwrite",
    )
    made = (
        f"The shipped configuration with `data.signal_target: clean`, {n_epochs} epochs on the training "
        f"split of {n_patients:,} simulated patients (clinical preset, seed {SEED}), measured on "
        f"{n_fresh:,} others (seed {FRESH_SEED}). Written by `benchmarks/quality/measure.py`."
    )
    report = Path("evaluation/report.md").read_text(encoding="utf-8")
    body = re.sub(r"\A# .*\n", "", report)
    (FOLDER / "RESULTS.md").write_text(
        f"# Quality of the shipped ABR network\n\n{made}\n{body}", encoding="utf-8"
    )


def neuroprism(*words: object) -> None:
    """Run a command in this process; leave with its exit code where it fails."""
    from neuroprism.cli.app import run

    print("neuroprism", *words, flush=True)
    code = run([str(word) for word in words])
    if code:
        sys.exit(code)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Measure the quality of the shipped ABR network.")
    parser.add_argument("work", type=Path, metavar="WORK", help="folder for recordings, run and evaluation")
    parser.add_argument("--patients", type=int, default=8000, metavar="N")
    parser.add_argument("--fresh", type=int, default=1000, metavar="N")
    parser.add_argument("--epochs", type=int, default=5, metavar="N")
    parser.add_argument("--ceiling", type=int, default=400, metavar="N")
    given = parser.parse_args()
    measure(
        given.work.resolve(),
        n_patients=given.patients,
        n_fresh=given.fresh,
        n_epochs=given.epochs,
        n_ceiling=given.ceiling,
    )


if __name__ == "__main__":
    main()
