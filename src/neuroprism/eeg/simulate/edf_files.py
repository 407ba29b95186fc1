"""Writes simulated signals as EDF or EDF+ files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from neuroprism.core.files import replace_bytes


def write_edf(
    path: Path,
    signal_uv: npt.NDArray[np.floating],
    labels: Sequence[str],
    sample_rate_hz: int,
    *,
    events: Sequence[tuple[float, float, str]] = (),
) -> None:
    """Write a file in records of one second; its folder is made.

    Parameters
    ----------
    path
        Any extension.
    signal_uv
        (C, T) microvolt; T a multiple of the rate.
    labels
        (C,) as they shall stand in the file.
    sample_rate_hz
        Of all channels.
    events
        (onset_s, duration_s, text) of each annotation; with any, the file is EDF+.
    """
    from io import BytesIO

    import edfio

    signals = []
    for label, values in zip(labels, signal_uv, strict=True):
        # Whole microvolts as range: they fit the eight characters of the header.
        limit = float(np.ceil(np.abs(values).max()) + 1)
        signals.append(
            edfio.EdfSignal(
                values.astype(np.float64),
                sampling_frequency=sample_rate_hz,
                label=label,
                physical_dimension="uV",
                physical_range=(-limit, limit),
            )
        )
    annotations = [edfio.EdfAnnotation(*event) for event in events] or None
    edf = edfio.Edf(signals, data_record_duration=1.0, annotations=annotations)
    buffer = BytesIO()
    edf.write(buffer)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_bytes(path, buffer.getvalue())
