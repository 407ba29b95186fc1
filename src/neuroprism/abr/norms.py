"""Published normal latencies of click-evoked wave V."""

from __future__ import annotations

import numpy as np

from neuroprism.figures.latency_intensity import NormalRange

N_SD = 2.0
"""SDs on either side of the mean that count as normal."""


def normal_ranges() -> list[NormalRange]:
    """Return mean +- 2 SD of wave V in adults and in infants.

    Adults: 7.60 +- 0.79, 6.59 +- 0.74 and 5.88 +- 0.25 ms at 20, 40 and 60 dB nHL (Elberling, Callo and Don
    2010, JASA 128:215). Infants of 3-6 months: 6.65 +- 0.26 ms at 60-90 dB nHL and 45.1 clicks per second
    (Camarillo 2024).
    """
    tables = {
        "adults, ±2 SD (Elberling 2010)": ((20.0, 7.60, 0.79), (40.0, 6.59, 0.74), (60.0, 5.88, 0.25)),
        "3-6 months, ±2 SD (Camarillo 2024)": ((60.0, 6.65, 0.26), (90.0, 6.65, 0.26)),
    }
    ranges = []
    for label, table in tables.items():
        level, mean, sd = np.array(table).T
        ranges.append(
            NormalRange(label=label, level_db=level, low_ms=mean - N_SD * sd, high_ms=mean + N_SD * sd)
        )
    return ranges
