"""Recordings arranged for figures: by class, by level, generated beside recorded."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.norms import normal_ranges
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.core.errors import DataError
from neuroprism.figures.latency_intensity import LatencySeries, plot_latency_intensity
from neuroprism.figures.traces import TracePanel, plot_traces

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEVEL_BANDS_DB = (-20.0, 20.0, 40.0, 60.0, 80.0, 170.0)
HIGH_LEVEL_DB = 60.0
N_SINGLE = 15


def latency_intensity(recordings: AbrRecordings) -> Figure:
    """Draw wave V of each hearing class against the level, over the norms where levels are in dB nHL.

    Raises
    ------
    DataError
        If wave V has too few latencies.
    """
    latency = np.where(recordings.latency_mask, recordings.v_latency_ms, np.nan)
    series = [
        LatencySeries(label=name, level_db=recordings.level_db[rows], latency_ms=latency[rows])
        for name, rows in _by_class(recordings).items()
    ]
    unit = recordings.level_unit
    try:
        return plot_latency_intensity(series, normal_ranges() if unit == "dB nHL" else [], level_unit=unit)
    except ValueError as error:
        raise DataError(f"the latencies cannot be drawn: {error}") from None


def class_averages(recordings: AbrRecordings) -> Figure:
    """Draw the average of each hearing class at high and at low levels, with its spread."""
    _check_scale(recordings)
    unit, high = recordings.level_unit, recordings.level_db >= HIGH_LEVEL_DB
    panels = [
        TracePanel(
            title=name,
            groups={
                f"{HIGH_LEVEL_DB:g} {unit} and above": recordings.signal_uv[rows & high],
                f"below {HIGH_LEVEL_DB:g} {unit}": recordings.signal_uv[rows & ~high],
            },
        )
        for name, rows in _by_class(recordings).items()
    ]
    return plot_traces(panels, recordings.time_ms)


def generated_traces(generated: AbrRecordings) -> Figure:
    """Draw generated recordings by level: mean, spread and some of them."""
    _check_scale(generated)
    panels = [
        TracePanel(title=title, groups={"generated": generated.signal_uv[rows]})
        for title, rows in _by_level(generated).items()
    ]
    return plot_traces(panels, generated.time_ms, n_single=N_SINGLE)


def generated_against_recorded(generated: AbrRecordings, recorded: AbrRecordings) -> Figure:
    """Draw generated and recorded traces of the same levels over each other.

    Raises
    ------
    DataError
        If the two have other windows or no level in common.
    """
    _check_scale(generated)
    _check_scale(recorded)
    if generated.n_times != recorded.n_times or generated.sample_rate_hz != recorded.sample_rate_hz:
        raise DataError("generated and recorded traces have different windows or sampling rates")
    both = [_by_level(recordings) for recordings in (generated, recorded)]
    panels = [
        TracePanel(
            title=title,
            groups={"generated": generated.signal_uv[rows], "recorded": recorded.signal_uv[both[1][title]]},
        )
        for title, rows in both[0].items()
        if title in both[1]
    ]
    if not panels:
        raise DataError("generated and recorded traces have no range of levels in common")
    return plot_traces(panels, generated.time_ms)


def _by_class(recordings: AbrRecordings) -> dict[str, NDArray[np.bool_]]:
    """Return the recordings of each class that the set holds; all of them where none is known."""
    found = {
        name: recordings.hearing_class == label
        for label, name in enumerate(recordings.class_names)
        if (recordings.hearing_class == label).any()
    }
    return found or {"class not known": np.ones(len(recordings), dtype=np.bool_)}


def _by_level(recordings: AbrRecordings) -> dict[str, NDArray[np.bool_]]:
    """Return the recordings of each range of levels that the set holds."""
    level, unit, found = recordings.level_db, recordings.level_unit, {}
    last = len(LEVEL_BANDS_DB) - 2
    for place, (low, high) in enumerate(pairwise(LEVEL_BANDS_DB)):
        rows = (level >= low) & (level < high)
        title = f"{low:g} to below {high:g} {unit}"
        if place == 0:
            title = f"below {high:g} {unit}"
        elif place == last:
            title = f"{low:g} {unit} and above"
        if rows.any():
            found[title] = rows
    return found


def _check_scale(recordings: AbrRecordings) -> None:
    if recordings.signal_unit != "uV":
        raise DataError("these recordings have lost their scale in microvolt and cannot be drawn together")
