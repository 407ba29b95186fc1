"""`neuroprism generate`, and figures of what it wrote."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroprism.abr import load_recordings
from neuroprism.cli.app import run

QUICK = ["--steps", "2", "--no-figure"]


@pytest.fixture
def checkpoint(finished: Any) -> str:
    return str(finished.run_folder())


def generate(checkpoint: str, out: Path, *options: str) -> int:
    return run(["generate", checkpoint, str(out), *QUICK, *options])


def test_recordings_figure_and_provenance_are_written(
    checkpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "made.npz"
    assert run(["generate", checkpoint, str(out), "--n", "9", "--steps", "3", "--seed", "4"]) == 0
    made = load_recordings(out)
    assert len(made) == 9
    assert made.provenance["source"] == "generated"
    assert made.provenance["seed"] == 4
    assert made.provenance["run_id"]
    said = capsys.readouterr()
    assert "9 recordings at" in said.out
    assert said.err == ""
    picture = tmp_path / "new" / "made.traces.png"
    assert 5_000 < picture.stat().st_size < 300 * 1024
    assert generate(checkpoint, out, "--n", "9", "--seed", "4", "--overwrite", "--batch-size", "2") == 0


def test_equal_seeds_write_equal_files(checkpoint: str, tmp_path: Path) -> None:
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert generate(checkpoint, tmp_path / f"{name}.npz", "--n", "5", "--seed", seed) == 0
    first, same, other = (load_recordings(tmp_path / f"{name}.npz") for name in "abc")
    np.testing.assert_array_equal(first.signal_uv, same.signal_uv)
    np.testing.assert_array_equal(first.level_db_nhl, same.level_db_nhl)
    assert np.abs(first.signal_uv - other.signal_uv).max() > 0.01


def test_a_table_has_conditions_predictions_and_samples(checkpoint: str, tmp_path: Path) -> None:
    (tmp_path / "wanted.csv").write_text("age,intensity,rate\n2,80,33.1\n0.5,40,33.1\n")
    out = tmp_path / "made.csv"
    assert generate(checkpoint, out, "--conditions", str(tmp_path / "wanted.csv"), "--guidance", "2") == 0
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["level_db_nhl"]) for row in rows] == [80, 40]
    assert {"wave_v_probability", "hearing_class", "threshold_db_nhl"} <= set(rows[0])
    beside = json.loads((tmp_path / "made.provenance.json").read_text())
    n_times = round(beside["sample_rate_hz"] * 12.8e-3)
    assert np.isfinite([float(rows[1][str(n)]) for n in range(1, n_times + 1)]).all()
    assert (beside["guidance"], beside["sampler"], beside["signal_unit"]) == (2.0, "ddim", "uV")


def test_conditions_outside_the_training_range_are_told_with_it(
    checkpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate(checkpoint, tmp_path / "made.npz", "--n", "3", "--intensity", "125") == 0
    said = capsys.readouterr().err
    assert said.startswith("neuroprism: warning: intensity 125 dB nHL lies outside the training range ")
    assert said.count("\n") == 1
    assert set(load_recordings(tmp_path / "made.npz").level_db_nhl) == {125.0}


def test_constraints_are_reported_when_they_are_on(
    checkpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate(checkpoint, tmp_path / "a.npz", "--n", "2") == 0
    assert "Constraints" not in capsys.readouterr().out
    wide = ["--latency-range", "-100", "100", "--amplitude-range", "-9", "9", "--smooth-ms", "0.2"]
    assert generate(checkpoint, tmp_path / "b.npz", "--n", "2", *wide) == 0
    assert "smoothing_ms 0.2; 0 signals were drawn again" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sampler", "ddim2"], "sampler must be ddim or ddpm, not 'ddim2'"),
        (["--steps", "5000"], "steps must be between 1 and 1000"),
        (["--eta", "2"], "eta must be between 0 and 1, not 2"),
        (["--guidance", "-1"], "guidance must be 0 or more, not -1"),
        (["--weights", "first"], "--weights must be selected or last, not 'first'"),
        (["--intensity", "900"], "level_db_nhl is 900"),
        (["--smooth-ms", "0"], "smoothing must be above 0 ms"),
        (["--conditions", "no.csv"], "cannot read conditions no.csv"),
        (["--conditions", "no.csv", "--age", "2"], "leave out --age, --intensity and --rate"),
    ],
)
def test_wrong_input_is_one_line_and_nothing_is_written(
    checkpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert run(["generate", checkpoint, str(tmp_path / "made.npz"), "--n", "2", *options]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert message in said
    assert list(tmp_path.iterdir()) == []


def test_files_in_the_way(checkpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "made.schema.json").write_text("{}")
    assert generate(checkpoint, tmp_path / "made.npz", "--n", "2") == 2
    assert "made.schema.json exists; replace it with --overwrite" in capsys.readouterr().err
    assert generate(checkpoint, tmp_path / "made.txt") == 2
    assert "must end in .npz or .csv" in capsys.readouterr().err


def test_guidance_of_a_model_without_a_null(
    program: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.train("--epochs", "1", diffusion__cfg__drop_prob=0.0) == 0
    capsys.readouterr()
    folder = str(program.run_folder())
    assert generate(folder, tmp_path / "made.npz", "--n", "2", "--guidance", "2") == 2
    said = capsys.readouterr().err
    assert "guidance 2 needs a model that was trained with diffusion.cfg.drop_prob above 0" in said
    assert said.count("\n") == 1
    assert generate(folder, tmp_path / "made.npz", "--n", "2") == 0


# --- figures ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("figure", ["level-series", "latency-intensity", "class-averages"])
def test_figures_of_recordings_and_of_a_run(
    data_file: Path, checkpoint: str, tmp_path: Path, figure: str
) -> None:
    for source in (str(data_file), checkpoint):
        out = tmp_path / "picture.png"
        assert run(["plot", "abr", source, "--figure", figure, "--save", str(out)]) == 0
        assert 5_000 < out.stat().st_size < 300 * 1024


def test_generated_beside_recorded(checkpoint: str, data_file: Path, tmp_path: Path) -> None:
    made = tmp_path / "made.npz"
    assert generate(checkpoint, made, "--n", "12") == 0
    assert run(["plot", "abr", str(made), "--figure", "generated"]) == 0
    assert (tmp_path / "made.generated.png").exists()
    against = ["--against", str(data_file), "--save", str(tmp_path / "other.pdf")]
    assert run(["plot", "abr", str(made), "--figure", "generated", *against]) == 0
    assert (tmp_path / "other.pdf").exists()


def test_figures_that_do_not_fit(data_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options, message in (
        (["--figure", "class-average"], "unknown figure 'class-average'; did you mean 'class-averages'?"),
        (["--figure", "generated"], "was not generated by a model"),
        (["--against", str(data_file)], "--against belongs to --figure generated"),
    ):
        assert run(["plot", "abr", str(data_file), *options]) == 2
        assert message in capsys.readouterr().err


def test_a_default_name_beside_the_data(data_file: Path, tmp_path: Path) -> None:
    for path in data_file.parent.glob("recordings.*"):
        shutil.copy(path, tmp_path)
    assert run(["plot", "abr", str(tmp_path / "recordings.npz"), "--figure", "class-averages"]) == 0
    assert (tmp_path / "recordings.class-averages.png").exists()
