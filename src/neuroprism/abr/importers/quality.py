"""What a newly imported set is like: what is missing, odd, doubled or derived."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.columns import COLUMNS, WAVES
from neuroprism.abr.importers.assemble import Assembled
from neuroprism.abr.recordings import AbrRecordings

LISTED = 5
"""How many examples are named."""


class Outside(msgspec.Struct, kw_only=True):
    """Values beyond what physiology makes likely."""

    quantity: str
    unit: str
    low: float
    high: float
    count: int
    first_recording: int


class QualityReport(msgspec.Struct, kw_only=True):
    """Everything that people should know of an imported set.

    Attributes
    ----------
    left_out
        Recordings of the source that are not in the set, by reason.
    missing
        Recordings without a value, by field.
    out_of_range
        Impossible values that were taken as not known, by array.
    outside_physiology
        Values that are kept, but unlikely.
    duplicates
        Groups of recordings with the same trace, the first few by index.
    patients_in_several_classes
        Their number; `examples_in_several_classes` names the first few.
    derived_labels
        Labels that were computed rather than measured.
    """

    source: str
    format: str
    recordings: int
    patients: int
    ears: int
    samples: int
    sample_rate_hz: float
    start_ms: float
    signal_unit: str
    level_unit: str
    levels_db: tuple[float, float]
    classes: dict[str, int]
    left_out: dict[str, int]
    missing: dict[str, int]
    out_of_range: dict[str, int]
    outside_physiology: list[Outside]
    duplicated_recordings: int
    duplicates: list[list[int]]
    patients_in_several_classes: int
    examples_in_several_classes: list[str]
    threshold_provenance: str
    derived_labels: list[str]
    notes: list[str]

    def text(self) -> str:
        """Return the report for people, one fact a line."""
        return "\n".join(_lines(self))


def judge(assembled: Assembled, *, source: str, name: str, derived: tuple[str, ...]) -> QualityReport:
    """Judge a set.

    Parameters
    ----------
    assembled
        The set and what was left out.
    source, name
        Where it comes from and its format.
    derived
        Labels that were computed rather than measured, in words.
    """
    r = assembled.recordings
    several = _in_several_classes(r)
    groups = _duplicates(r)
    levels = r.level_db
    return QualityReport(
        source=source,
        format=name,
        recordings=len(r),
        patients=r.n_patients,
        ears=len(np.unique(r.ear_id)),
        samples=r.n_times,
        sample_rate_hz=r.sample_rate_hz,
        start_ms=r.start_ms,
        signal_unit=r.signal_unit,
        level_unit=str(r.provenance.get("level_unit") if r.level_unit != "dB nHL" else r.level_unit),
        levels_db=(float(levels.min()), float(levels.max())),
        classes={label: count for label, count in r.class_counts().items() if count},
        left_out=assembled.left_out,
        missing={field: count for field, count in _missing(r).items() if count},
        out_of_range=assembled.out_of_range,
        outside_physiology=list(_outside(r)),
        duplicated_recordings=sum(len(group) - 1 for group in groups),
        duplicates=groups[:LISTED],
        patients_in_several_classes=len(several),
        examples_in_several_classes=several[:LISTED],
        threshold_provenance=r.threshold_provenance,
        derived_labels=list(derived),
        notes=list(assembled.notes),
    )


def _missing(r: AbrRecordings) -> dict[str, int]:
    found = {
        c.name: int(np.isnan(getattr(r, c.name)).sum())
        for c in COLUMNS
        if c.missing and not c.axes and not c.optional
    }
    return {
        **found,
        "level_db_nhl": int(np.isnan(r.level_db_nhl).sum()),
        "hearing_class": int((~r.class_mask).sum()),
        "ear": int((r.ear == "unknown").sum()),
        "sex": int((r.sex == 0).sum()),
        "polarity": int((r.polarity == "unknown").sum()),
        "n_sweeps": int((r.n_sweeps == 0).sum()),
        "wave V judged": int((~r.v_marked).sum()),
        **{
            f"wave {WAVES[k]} latency": int(np.isnan(r.wave_latency_ms[:, k]).sum())
            for k in (0, 2, 4)
            if not np.isnan(r.wave_latency_ms[:, k]).all()
        },
    }


def _outside(r: AbrRecordings) -> Iterator[Outside]:
    """Yield the quantities of which some values are unlikely in people."""
    in_microvolt = r.signal_unit == "uV"
    i_to_v = r.wave_latency_ms[:, 4] - r.wave_latency_ms[:, 0]
    quantities: list[tuple[str, str, NDArray[Any], float, float]] = [
        ("level", "dB nHL", r.level_db_nhl, -10.0, 105.0),
        ("stimuli per second", "1/s", r.rate_hz, 5.0, 100.0),
        ("age", "years", r.age_years, 0.0, 105.0),
        ("Fmp", "1", r.fmp, 0.0, 100.0),
        ("threshold", "dB nHL", r.threshold_db_nhl, -10.0, 120.0),
        ("wave I latency", "ms", r.wave_latency_ms[:, 0], 0.8, 4.0),
        ("wave III latency", "ms", r.wave_latency_ms[:, 2], 2.5, 7.0),
        ("wave V latency", "ms", r.wave_latency_ms[:, 4], 4.5, 12.0),
        ("interval I-V", "ms", i_to_v, 3.0, 6.5),
        ("wave V amplitude", "uV", r.wave_amplitude_uv[:, 4], 0.0, 2.0),
    ]
    if in_microvolt:
        quantities.append(("peak to peak of the trace", "uV", np.ptp(r.signal_uv, axis=1), 0.02, 20.0))
    for quantity, unit, values, low, high in quantities:
        wrong = (values < low) | (values > high)
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            yield Outside(
                quantity=quantity,
                unit=unit,
                low=low,
                high=high,
                count=int(wrong.sum()),
                first_recording=first,
            )


def _duplicates(r: AbrRecordings) -> list[list[int]]:
    """Return groups of recordings whose traces are the same number for number."""
    groups: dict[bytes, list[int]] = {}
    for n, trace in enumerate(np.ascontiguousarray(r.signal_uv)):
        groups.setdefault(hashlib.blake2b(trace.tobytes(), digest_size=16).digest(), []).append(n)
    return [group for group in groups.values() if len(group) > 1]


def _in_several_classes(r: AbrRecordings) -> list[str]:
    known = r.class_mask
    pairs = set(zip(r.patient_id[known].tolist(), r.hearing_class[known].tolist(), strict=True))
    counts = Counter(patient for patient, _ in pairs)
    return sorted(patient for patient, count in counts.items() if count > 1)


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "nothing"


def _lines(report: QualityReport) -> Iterator[str]:
    low, high = report.levels_db
    yield (
        f"{report.recordings:,} recordings of {report.patients:,} patients, {report.ears:,} ears: "
        f"{report.samples} samples at {report.sample_rate_hz:g} Hz from {report.start_ms:g} ms, "
        f"in {report.signal_unit}; levels {low:g} to {high:g} {report.level_unit}"
    )
    yield f"Classes: {_counted(report.classes)}"
    yield f"Left out: {_counted(report.left_out)}"
    yield f"Not known: {_counted(report.missing)}"
    yield f"Impossible values taken as not known: {_counted(report.out_of_range)}"
    if not report.outside_physiology:
        yield "Outside physiology: nothing"
    for one in report.outside_physiology:
        yield (
            f"Outside physiology: {one.quantity} beyond {one.low:g} to {one.high:g} {one.unit} "
            f"in {one.count:,} recordings, the first is {one.first_recording}"
        )
    groups = "; ".join(", ".join(map(str, group[:LISTED])) for group in report.duplicates)
    same = f" (same trace: {groups})" if groups else ""
    yield f"Duplicated recordings: {report.duplicated_recordings:,}{same}"
    examples = ", ".join(report.examples_in_several_classes)
    named = f" ({examples})" if examples else ""
    yield f"Patients in several classes: {report.patients_in_several_classes:,}{named}"
    yield f"Labels that are derived, not measured: {', '.join(report.derived_labels) or 'none'}"
    for note in report.notes:
        yield f"Note: {note}"
