from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from neuroprism.core.errors import NeuroprismError, RunError, UnknownNameError
from neuroprism.runs import load_run
from neuroprism.runs.comparison import compare_runs, run_labels
from neuroprism.runs.comparison_text import comparison_text
from neuroprism.runs.estimate import estimate

RecordRun = Callable[..., Path]
VALUES = {"eegnet": [0.70, 0.72, 0.69], "eegmamba": [0.66, 0.71, 0.67]}


@pytest.fixture
def seeded(record_run: RecordRun) -> list[Any]:
    """Two networks with seeds 0, 1, 2; eegmamba has seed 7 as well."""
    runs = [
        load_run(record_run(f"{name}/seed_{seed}", value, seed=seed, backbone=name))
        for name, values in VALUES.items()
        for seed, value in enumerate(values)
    ]
    return [*runs, load_run(record_run("eegmamba/seed_7", 0.5, seed=7, backbone="eegmamba"))]


def test_groups_have_mean_and_t_interval_over_their_runs(seeded: list[Any]) -> None:
    found = compare_runs(seeded, metric="val_acc", group_by="backbone")
    first, second = found.groups
    assert (first.name, first.n_runs, second.name, second.n_runs) == ("eegnet", 3, "eegmamba", 4)
    for group, values in ((first, VALUES["eegnet"]), (second, [*VALUES["eegmamba"], 0.5])):
        expected = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
        assert group.value is not None
        assert group.test is not None
        np.testing.assert_allclose((group.value.low, group.value.high), expected)
        np.testing.assert_allclose((group.test.low, group.test.high), np.subtract(expected, 0.1))


def test_difference_is_paired_over_common_seeds(seeded: list[Any]) -> None:
    (difference,) = compare_runs(seeded, metric="val_acc", group_by="model.backbone").differences
    gap = np.subtract(VALUES["eegmamba"], VALUES["eegnet"])
    expected = stats.ttest_rel(VALUES["eegmamba"], VALUES["eegnet"]).confidence_interval(0.95)
    assert (difference.first, difference.second, difference.n_seeds) == ("eegnet", "eegmamba", 3)
    assert difference.value is not None
    np.testing.assert_allclose(difference.value.mean, gap.mean())
    np.testing.assert_allclose((difference.value.low, difference.value.high), (expected.low, expected.high))


def test_selected_epoch_counts_not_the_best_of_the_metric(record_run: RecordRun) -> None:
    found = compare_runs([load_run(record_run("a", 0.7, n_epochs=5))], metric="val/total")
    (entry,) = found.entries
    assert (entry.epoch, entry.value, entry.test) == (4, pytest.approx(0.55), 0.7)
    assert entry.curve.tolist() == [pytest.approx(0.5 + 0.2 / epoch) for epoch in range(1, 6)]


@pytest.mark.parametrize(
    "name", ["val_acc", "val/balanced_accuracy", "balanced_accuracy", "test/balanced_accuracy", None]
)
def test_a_metric_has_several_spellings(name: str | None, record_run: RecordRun) -> None:
    found = compare_runs([load_run(record_run("a", 0.7))], metric=name)
    assert found.metric == "val/balanced_accuracy"
    assert found.entries[0].test_interval == (pytest.approx(0.5), 0.7)


def test_components_of_any_run_can_be_compared(record_run: RecordRun) -> None:
    run = load_run(record_run("a", 0.7, parts=("signal", "peak")))
    assert compare_runs([run], metric="peak").metric == "val/peak"
    assert compare_runs([run], metric="train/peak").entries[0].value == pytest.approx(0.5)


def test_a_log_without_selection_shows_its_own_best_and_says_so(write_log: Callable[..., Path]) -> None:
    run = load_run(write_log({"train_loss": [3.0, 1.0, 2.0]}))
    found = compare_runs([run])
    assert (found.metric, found.entries[0].epoch, found.entries[0].value) == ("train/total", 2, 1.0)
    assert "no selected epoch recorded" in found.notes[0]


def test_published_log_beside_a_recorded_run(
    published_log: dict[str, Any], write_log: Callable[..., Path], record_run: RecordRun
) -> None:
    runs = [load_run(write_log(published_log)), load_run(record_run("here", 0.7))]
    found = compare_runs(runs, metric="val_acc")
    assert [e.label for e in found.entries] == ["physio_models_test", "here"]
    assert (found.entries[0].epoch, found.entries[0].value) == (39, 0.54151)
    text = comparison_text(found, further=[("band power", 0.8, None)])
    rows = [re.split(r"  +", line.strip()) for line in text.splitlines()]
    assert ["physio_models_test", "-", "39", "0.5415", "0.5813"] in rows
    assert ["here", "0", "2", "0.7000", "0.6000 [0.5000, 0.7000]"] in rows
    assert ["band power", "0.8000", "-"] in rows


def test_tables_of_groups_and_differences(seeded: list[Any]) -> None:
    text = comparison_text(compare_runs(seeded, metric="val_acc", group_by="backbone"))
    assert text.startswith("Validation balanced accuracy at the selected epoch")
    assert re.search(r"eegnet/seed_0 +eegnet +0 +2 +0\.7000 +0\.6000 \[", text)
    assert re.search(r"eegnet +3 +0\.7033 \[0\.6654, 0\.7413\]", text)
    assert re.search(r"eegmamba - eegnet +3 +-0\.0233 \[", text)


def test_reader_is_told_what_does_not_match(record_run: RecordRun) -> None:
    runs = [
        load_run(record_run("a", 0.7, seed=0, backbone="x")),
        load_run(record_run("b", 0.8, seed=0, backbone="x")),
        load_run(record_run("c", 0.6, seed=1, backbone="y", dataset="SHU-MI")),
    ]
    found = compare_runs(runs, group_by="backbone")
    assert "the runs differ in data.dataset: MentalArithmetic, SHU-MI" in found.notes
    assert "several runs, of which the last is paired: x with seed 0" in found.notes
    assert "one run, no interval: y" in found.notes
    assert found.differences == ()
    assert any("give --group-by" in note for note in compare_runs(runs[:1]).notes)


def test_mistakes_are_one_clear_line(
    record_run: RecordRun, write_log: Callable[..., Path], tmp_path: Path
) -> None:
    a, b = load_run(record_run("a", 0.7)), load_run(record_run("b", 0.7, metric="r2"))
    log = load_run(write_log({"val_kappa": [0.5]}))
    with pytest.raises(UnknownNameError, match="unknown metric 'val_ac'; did you mean 'val_acc'"):
        compare_runs([a], metric="val_ac")
    with pytest.raises(RunError, match="val/balanced_accuracy is not recorded in b"):
        compare_runs([a, b], metric="val_acc")
    with pytest.raises(RunError, match="a, physio_models_test have no metric in common"):
        compare_runs([a, log])
    with pytest.raises(
        UnknownNameError, match="unknown configuration key 'bakbone'; did you mean 'backbone'"
    ):
        compare_runs([a], group_by="bakbone")
    with pytest.raises(
        RunError, match=r"'seed' is the end of several keys: data\.subjects\.seed, reproducibility\.seed"
    ):
        compare_runs([a], group_by="seed")
    with pytest.raises(RunError, match=r"has no config\.yaml"):
        compare_runs([log], group_by="backbone")
    with pytest.raises(RunError, match="given twice"):
        compare_runs([a, a])
    (tmp_path / "b/config.yaml").write_text("model: {type: unet}\n")
    with pytest.raises(NeuroprismError, match=r"b has no configuration key 'model\.backbone'"):
        compare_runs([a, load_run(tmp_path / "b")], metric="val/total", group_by="model.backbone")


def test_labels_are_the_shortest_that_differ(record_run: RecordRun) -> None:
    runs = [load_run(record_run(name, 0.7)) for name in ("x/seed_0", "y/seed_0", "y/seed_1")]
    assert run_labels(runs) == ["x/seed_0", "y/seed_0", "y/seed_1"]
    assert run_labels(runs[1:]) == ["seed_0", "seed_1"]


def test_estimate_leaves_out_what_is_not_there() -> None:
    assert estimate([]) is None
    assert estimate([None, float("nan")]) is None
    one = estimate([0.5, None])
    assert (one and one.mean, one and one.low, str(one)) == (0.5, None, "0.5000")
