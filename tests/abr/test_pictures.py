"""Recordings arranged for figures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuroprism.abr.norms import normal_ranges
from neuroprism.abr.pictures import (
    class_averages,
    generated_against_recorded,
    generated_traces,
    latency_intensity,
)
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.core.errors import DataError


def titles(figure: object) -> list[str]:
    return [axes.get_title(loc="left") for axes in figure.axes if axes.axison]  # type: ignore[attr-defined]


def test_norms_are_the_published_values() -> None:
    adults, infants = normal_ranges()
    np.testing.assert_allclose((adults.low_ms + adults.high_ms) / 2, [7.60, 6.59, 5.88])
    np.testing.assert_allclose((adults.high_ms - adults.low_ms) / 4, [0.79, 0.74, 0.25])
    np.testing.assert_allclose(infants.high_ms, 7.17)
    assert "Elberling" in adults.label
    assert "Camarillo" in infants.label


def test_latency_function_leaves_out_what_is_masked(balanced_set: AbrRecordings) -> None:
    figure = latency_intensity(balanced_set)
    said = [text.get_text() for text in figure.legends[0].get_texts()]
    # Ears without hearing have no wave V.
    assert {"normal", "sensorineural", "conductive"} <= set(said)
    assert "total" not in said
    low, high = figure.axes[0].get_ylim()
    assert low > 4
    assert high < 12.8
    with pytest.raises(DataError, match="cannot be drawn: no group has"):
        latency_intensity(balanced_set.select(balanced_set.hearing_class == 3))


def test_levels_in_sound_pressure_have_no_norms(balanced_set: AbrRecordings) -> None:
    unknown = np.full(len(balanced_set), np.nan, dtype=np.float32)
    spl = replace(balanced_set, level_db_nhl=unknown, level_db_spl=balanced_set.level_db_nhl + 30)
    figure = latency_intensity(spl)
    assert figure.axes[0].get_xlabel() == "level (dB SPL)"
    assert not any("SD" in text.get_text() for text in figure.legends[0].get_texts())


def test_averages_have_a_panel_for_each_class(balanced_set: AbrRecordings) -> None:
    figure = class_averages(balanced_set)
    assert titles(figure) == list(balanced_set.class_names)
    rows = (balanced_set.hearing_class == 0) & (balanced_set.level_db_nhl >= 60)
    np.testing.assert_allclose(
        figure.axes[0].lines[0].get_ydata(), balanced_set.signal_uv[rows].mean(axis=0), atol=1e-6
    )
    nobody = replace(balanced_set, hearing_class=np.full(len(balanced_set), -1))
    assert titles(class_averages(nobody)) == ["class not known"]


def test_generated_traces_are_grouped_by_level(balanced_set: AbrRecordings) -> None:
    loud = balanced_set.select(balanced_set.level_db_nhl >= 60)
    assert titles(generated_traces(loud)) == ["60 to below 80 dB nHL", "80 dB nHL and above"]
    assert titles(generated_against_recorded(loud, balanced_set)) == titles(generated_traces(loud))
    assert titles(generated_traces(balanced_set))[0] == "below 20 dB nHL"


def test_what_cannot_be_compared(balanced_set: AbrRecordings) -> None:
    loud = balanced_set.select(balanced_set.level_db_nhl >= 80)
    soft = balanced_set.select(balanced_set.level_db_nhl < 40)
    with pytest.raises(DataError, match="no range of levels in common"):
        generated_against_recorded(loud, soft)
    with pytest.raises(DataError, match="different windows"):
        generated_against_recorded(loud, replace(balanced_set, sample_rate_hz=10_000.0))
    with pytest.raises(DataError, match="lost their scale"):
        class_averages(replace(balanced_set, signal_unit="zscore"))
