"""The same four recordings written in every format."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

RATE_HZ = 20_000.0
LEVELS_DB = (20.0, 40.0, 60.0, 80.0)
N_TIMES = 200
DECLARED = {"window_start_ms": 0.0, "polarity": "alternating", "level_unit": "nhl"}


@dataclass
class Written:
    """A source, what must be declared of it, and what must come back."""

    source: Path
    declared: dict[str, Any]
    signal: np.ndarray
    tolerance: float
    centred: bool = False
    """The reader takes the mean of each trace away."""
    states: dict[str, Any] = field(default_factory=dict)
    """Facts that the format states itself."""


def traces_uv() -> np.ndarray:
    """Four traces of 10 ms that grow with the level, (4, 200) in microvolt."""
    time_ms = np.arange(N_TIMES) * 1000.0 / RATE_HZ
    noise = np.random.default_rng(3).normal(0.0, 0.02, (len(LEVELS_DB), N_TIMES))
    wave = np.exp(-0.5 * ((time_ms - 6.0) / 0.4) ** 2)
    return noise + np.outer(np.array(LEVELS_DB) / 100.0, wave)


def write_table(folder: Path, signal: np.ndarray) -> Written:
    names = ["patient_id", "ear", "level_db", *(str(k + 1) for k in range(signal.shape[1]))]
    lines = [",".join(names)]
    for level, trace in zip(LEVELS_DB, signal, strict=True):
        lines.append(",".join(["7", "L", f"{level:g}", *("" if np.isnan(x) else f"{x:.6f}" for x in trace)]))
    path = folder / "clinic.csv"
    path.write_text("\n".join(lines) + "\n")
    return Written(path, {**DECLARED, "sample_rate_hz": RATE_HZ, "unit": "uv"}, signal, 1e-5)


def write_joblib(folder: Path, signal: np.ndarray) -> Written:
    import joblib
    from sklearn.preprocessing import LabelEncoder, StandardScaler

    statics = np.array([[3.0 + k, level, 21.1, 1.5 + k] for k, level in enumerate(LEVELS_DB)])
    scaler = StandardScaler().fit(statics)
    encoder = LabelEncoder()
    encoder.classes_ = np.array(["NORMAL", "NÖROPATİ", "SNİK", "TOTAL", "İTİK"], dtype=object)
    scores = (signal - signal.mean(axis=1, keepdims=True)) / np.maximum(
        signal.std(axis=1, keepdims=True), 1e-9
    )
    rows = [
        {
            "patient_id": 100 + k // 2,
            "static_params": scaler.transform(statics)[k],
            "signal": scores[k],
            "v_peak": np.array([6.0, 0.4]),
            "v_peak_mask": np.array([True, True]),
            "target": np.int64(k % 5),
            "clinical_threshold": np.float64(20.0),
        }
        for k in range(len(signal))
    ]
    content = {
        "data": rows,
        "scaler": scaler,
        "label_encoder": encoder,
        "metadata": {"version": "ultimate_v1"},
        "threshold_method": "combined",
    }
    path = folder / "earlier.pkl"
    joblib.dump(content, path)
    return Written(path, {**DECLARED, "sample_rate_hz": RATE_HZ, "allow_pickle": True}, scores, 1e-5)


def write_epl(folder: Path, signal: np.ndarray) -> Written:
    head = [
        ":RUN-5\tLEVEL SWEEP\tTEMP:207.44\t4/6/2007\t8:03 AM\t-3852.21HR:\t",
        "SW EAR: R\tSW FREQ: 16.00\t# AVERAGES: 512\tREP RATE (/sec): 40\tDRIVER: Starship\t"
        "SAMPLE (\xb5sec): 50\t",
        ":NOTES-\t",
        ":CHAMBER-412\t",
        f":LEVELS:{';'.join(f'{level:g}' for level in LEVELS_DB)};\t",
        ":DATA\t",
    ]
    rows = ["\t".join(f"{x:10.6f}" for x in row) for row in signal.T]
    path = folder / "ABR-52-5"
    path.write_bytes(("\r".join(head) + "\r" + "\r\n".join(rows) + "\r\n\r\r").encode("latin-1"))
    states = {"sample_rate_hz": RATE_HZ}
    return Written(path, {**DECLARED, "unit": "uv"}, signal, 1e-5, states=states)


def write_wfdb(folder: Path, signal: np.ndarray) -> Written:
    place = folder / "N1"
    place.mkdir(exist_ok=True)
    with warnings.catch_warnings():
        # The package tells its users of what other packages will change.
        warnings.simplefilter("ignore", DeprecationWarning)
        import wfdb

        for level, trace in zip(LEVELS_DB, signal, strict=True):
            wfdb.wrsamp(
                f"N1evoked_ave_{level:g}_F4_R1",
                fs=RATE_HZ,
                units=["uV"],
                sig_name=["ABR"],
                p_signal=trace[:, None],
                fmt=["24"],
                write_dir=str(place),
            )
    return Written(place, dict(DECLARED), signal, 1e-4, states={"sample_rate_hz": RATE_HZ})


def write_brainvision(folder: Path, signal: np.ndarray) -> Written:
    path = folder / "sub-03_task-click_eeg.vhdr"
    trials = np.tile(signal, (5, 1))
    gap = np.zeros((len(trials), 300))
    content = np.concatenate([gap, trials], axis=1).ravel().astype("<f4")
    path.with_suffix(".eeg").write_bytes(content.tobytes())
    markers = ["Mk1=New Segment,,1,1,0,20260101000000000000"]
    for k in range(len(trials)):
        markers.append(f"Mk{k + 2}=Stimulus,S{k % len(signal) + 1},{k * 500 + 300 + 1},1,0")
    common = "[Common Infos]\nCodepage=UTF-8\nDataFile={}\n"
    path.with_suffix(".vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n\n"
        + common.format(path.with_suffix(".eeg").name)
        + "\n[Marker Infos]\n"
        + "\n".join(markers)
        + "\n"
    )
    path.write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n\n"
        + common.format(path.with_suffix(".eeg").name)
        + f"MarkerFile={path.with_suffix('.vmrk').name}\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\n"
        + f"NumberOfChannels=1\nSamplingInterval={1e6 / RATE_HZ:g}\n\n[Binary Infos]\n"
        + "BinaryFormat=IEEE_FLOAT_32\n\n[Channel Infos]\nCh1=Cz,,1,µV\n",
        encoding="utf-8",
    )
    declared = {
        **DECLARED,
        "window_ms": N_TIMES * 1000.0 / RATE_HZ,
        "event_levels": {f"S{k + 1}": level for k, level in enumerate(LEVELS_DB)},
    }
    return Written(path, declared, signal, 1e-3, centred=True, states={"sample_rate_hz": RATE_HZ})


def write_psi(folder: Path, signal: np.ndarray) -> Written:
    from numcodecs.blosc import Blosc

    place = folder / "Mouse3_timepoint0_left abr_io"
    array = place / "eeg.zarr"
    array.mkdir(parents=True, exist_ok=True)
    trials = np.tile(signal, (5, 1))
    gap = np.zeros((len(trials), 300))
    samples = (1e-6 * np.concatenate([gap, trials, gap], axis=1)).ravel().astype("<f4")
    size = 4000
    codec = Blosc(cname="lz4", clevel=5, shuffle=1)
    for k, first in enumerate(range(0, len(samples), size)):
        chunk = np.zeros(size, "<f4")
        part = samples[first : first + size]
        chunk[: len(part)] = part
        (array / str(k)).write_bytes(codec.encode(chunk))
    head = {
        "chunks": [size],
        "compressor": {"blocksize": 0, "clevel": 5, "cname": "lz4", "id": "blosc", "shuffle": 1},
        "dtype": "<f4",
        "fill_value": 0.0,
        "filters": None,
        "order": "C",
        "shape": [len(samples)],
        "zarr_format": 2,
    }
    (array / ".zarray").write_text(json.dumps(head, indent=4))
    attributes = {"fs": RATE_HZ, "gain_correction": 1, "latency_correction": 0}
    (array / ".zattrs").write_text(json.dumps(attributes, indent=4))
    rows = [",t0,target_tone_frequency,target_tone_level,ordering,rate,reject_threshold,averages"]
    for k in range(len(trials)):
        onset = (k * 800 + 300) / RATE_HZ
        level = LEVELS_DB[k % len(signal)]
        rows.append(f"{k},{onset!r},8000.0,{level!r},interleaved_ramp,20.0,5e-05,512")
    (place / "erp_metadata.csv").write_text("\n".join(rows) + "\n")
    declared = {**DECLARED, "unit": "v", "window_ms": N_TIMES * 1000.0 / RATE_HZ}
    return Written(place, declared, signal, 1e-4, centred=True, states={"sample_rate_hz": RATE_HZ})


WRITERS = {
    "table": write_table,
    "joblib": write_joblib,
    "epl": write_epl,
    "wfdb": write_wfdb,
    "brainvision": write_brainvision,
    "psi": write_psi,
}


@pytest.fixture
def write_source(tmp_path: Path) -> Callable[..., Written]:
    """Return a writer of the four recordings, or of others of that shape, in a format."""

    def write(name: str, signal: np.ndarray | None = None) -> Written:
        folder = tmp_path / f"raw_{name}"
        folder.mkdir(exist_ok=True)
        return WRITERS[name](folder, traces_uv() if signal is None else signal)

    return write
