"""CHB-MIT as EDF with summary files: recordings with and without a seizure at 256 Hz."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neuroprism.core.files import replace_bytes
from neuroprism.eeg.simulate.edf_files import write_edf
from neuroprism.eeg.simulate.rhythms import simulate_timeline, subject_gain
from neuroprism.eeg.simulate.subjects import spread

RATE_HZ, DURATION_S = 256, 124
"""Real recordings last an hour or more."""

LABELS = [
    *("FP1-F7", "F7-T7", "T7-P7", "P7-O1", "FP1-F3", "F3-C3", "C3-P3", "P3-O1"),
    *("FP2-F4", "F4-C4", "C4-P4", "P4-O2", "FP2-F8", "F8-T8", "T8-P8", "P8-O2"),
    *("FZ-CZ", "CZ-PZ", "P7-T7", "T7-FT9", "FT9-FT10", "FT10-T8", "T8-P8"),
]
"""T8-P8 stands twice in the real files too."""

USED = [number for number in range(1, 21) if number not in (12, 13, 17)]


def write(out: Path, n_subjects: int, seed: int) -> None:
    """Write ``chbNN/chbNN_MM.edf`` and ``chbNN/chbNN-summary.txt``: two files a case, seizures in both."""
    numbers = spread(n_subjects, range(len(USED)), range(21, 23), range(23, 25))
    for number in (USED[k] if k < len(USED) else k for k in numbers):
        rng = np.random.default_rng([seed, number])
        gain = subject_gain(rng)
        case = f"chb{number:02d}"
        blocks = [_header()]
        for file in (1, 3):
            seizures = [(31, 57), (80, 101)] if file == 3 else [(42, 71)]
            signal = simulate_timeline(
                rng,
                n_channels=len(LABELS),
                n_times=DURATION_S * RATE_HZ,
                sample_rate_hz=RATE_HZ,
                timeline=[(float(start), float(end), 0) for start, end in seizures],
                n_rhythms=2,
                gain=gain,
            )
            name = f"{case}_{file:02d}.edf"
            write_edf(out / case / name, signal, LABELS, RATE_HZ)
            blocks.append(_block(name, seizures))
        replace_bytes(out / case / f"{case}-summary.txt", "\n".join(blocks).encode())


def _header() -> str:
    channels = "\n".join(f"Channel {k}: {label}" for k, label in enumerate(LABELS, start=1))
    stars = "*" * 22
    return f"Data Sampling Rate: {RATE_HZ} Hz\n{stars}\n\nChannels in EDF Files:\n{stars}\n{channels}\n"


def _block(name: str, seizures: list[tuple[int, int]]) -> str:
    """Describe one file; several seizures are numbered, a single one is not, as in the real files."""
    lines = [f"File Name: {name}", "File Start Time: 11:42:54", "File End Time: 11:44:58"]
    lines.append(f"Number of Seizures in File: {len(seizures)}")
    for k, (start, end) in enumerate(seizures, start=1):
        number = f" {k}" if len(seizures) > 1 else ""
        lines += [f"Seizure{number} Start Time: {start} seconds", f"Seizure{number} End Time: {end} seconds"]
    return "\n".join(lines) + "\n"
