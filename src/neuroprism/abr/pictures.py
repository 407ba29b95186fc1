"""Recordings arranged for figures: by class, by level, generated beside recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuroprism.abr.groups import Rows, by_class, by_level
from neuroprism.abr.norms import normal_ranges
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.core.errors import DataError
from neuroprism.figures.latency_intensity import LatencySeries, plot_latency_intensity
from neuroprism.figures.traces import TracePanel, plot_traces

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
        for title, rows in by_level(generated).items()
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
    both = [by_level(recordings) for recordings in (generated, recorded)]
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


def _by_class(recordings: AbrRecordings) -> Rows:
    """Return the recordings of each class that the set holds; all of them where none is known."""
    return by_class(recordings) or {"class not known": np.ones(len(recordings), dtype=np.bool_)}


def _check_scale(recordings: AbrRecordings) -> None:
    if recordings.signal_unit != "uV":
        raise DataError("these recordings have lost their scale in microvolt and cannot be drawn together")
