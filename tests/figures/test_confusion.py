"""Counts by true and predicted class."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from neuroprism.figures import save_figure
from neuroprism.figures.confusion import plot_confusion

NAMES = ("normal", "neuropathy", "sensorineural", "total", "conductive")
COUNTS = np.array(
    [
        [11537, 4, 356, 6, 327],
        [1, 44, 23, 70, 7],
        [108, 209, 835, 138, 353],
        [5, 190, 42, 410, 67],
        [0, 0, 0, 0, 0],
    ]
)


def test_cells_hold_count_and_share_of_their_row() -> None:
    axes = plot_confusion(COUNTS, NAMES).axes[0]
    said = [text.get_text() for text in axes.texts]
    assert said[:5] == ["11,537\n94 %", "4\n< 1 %", "356\n3 %", "6\n< 1 %", "327\n3 %"]
    assert said[-5:] == ["0\n0 %"] * 5
    shades = np.asarray(axes.images[0].get_array())
    np.testing.assert_allclose(shades[:4].sum(axis=1), 1)
    assert shades[3, 1] == pytest.approx(190 / 714)


def test_rows_say_how_many_recordings_they_hold() -> None:
    axes = plot_confusion(COUNTS, NAMES).axes[0]
    rows = [label.get_text() for label in axes.get_yticklabels()]
    assert rows[:2] == ["normal\nn = 12,230", "neuropathy\nn = 145"]
    assert [label.get_text() for label in axes.get_xticklabels()] == list(NAMES)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class")


def test_only_all_is_100_per_cent() -> None:
    axes = plot_confusion(np.array([[9999, 1], [0, 3]]), ("absent", "present")).axes[0]
    assert [text.get_text() for text in axes.texts] == ["9,999\n> 99 %", "1\n< 1 %", "0\n0 %", "3\n100 %"]


@pytest.mark.parametrize("n", [1, 2, 5])
def test_the_file_is_small_and_texts_keep_apart(
    n: int, tmp_path: Path, check_texts: Callable[[Figure], None]
) -> None:
    figure = plot_confusion(COUNTS[:n, :n], NAMES[:n])
    check_texts(figure)
    save_figure(figure, tmp_path / "confusion.png")
    assert (tmp_path / "confusion.png").stat().st_size < 300 * 1024


def test_counts_and_names_must_belong_together() -> None:
    for counts, names in ((COUNTS, NAMES[:4]), (COUNTS[:4], NAMES), (np.zeros((0, 0), dtype=int), ())):
        with pytest.raises(ValueError, match="do not fit"):
            plot_confusion(counts, names)
