"""Readers of auditory brainstem responses."""

from __future__ import annotations

import functools
import importlib.util
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from hostile.reader import Reader

IMPORTER_MODULES = {
    "table": ("table", "table_columns"),
    "joblib": ("earlier_pickle",),
    "epl": ("epl", "epl_marks"),
    "wfdb": ("wfdb_records",),
    "brainvision": ("brainvision", "bids"),
    "psi": ("psi_zarr", "psi_stimuli", "zarr_array"),
}


@functools.cache
def written_formats() -> ModuleType:
    """Return the module that writes the same four recordings in every format."""
    path = Path(__file__).parents[1] / "abr" / "importers" / "conftest.py"
    spec = importlib.util.spec_from_file_location("written_formats", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["written_formats"] = module
    spec.loader.exec_module(module)
    return module


def _writer(name: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        formats = written_formats()
        written = formats.WRITERS[name](folder, formats.traces_uv())
        return Path(written.source)

    return write


@functools.cache
def _declared(name: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        formats = written_formats()
        declared: dict[str, Any] = formats.WRITERS[name](Path(folder), formats.traces_uv()).declared
    return declared


def _import(name: str, path: Path) -> object:
    from neuroprism.abr.importers import Declared, read_recordings

    return read_recordings(path, name, Declared(**_declared(name)))


def _import_words(name: str, path: Path) -> list[str]:
    words = ["import", "abr", "--format", name, str(path), str(path.parent / "never.npz")]
    for field, value in _declared(name).items():
        flag = "--" + field.replace("_", "-")
        if value is True:
            words.append(flag)
        elif isinstance(value, dict):
            words += [word for k, v in value.items() for word in ("--event-level", f"{k}={v:g}")]
        else:
            words += [flag, str(value)]
    return words


def write_excel(folder: Path) -> Path:
    """Write two recordings as a spreadsheet."""
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["patient_id", "level_db", *(str(k + 1) for k in range(20))])
    for level in (20.0, 40.0):
        sheet.append(["7", level, *(np.sin(np.arange(20.0)) * level / 40).tolist()])
    path = folder / "clinic.xlsx"
    book.save(path)
    return path


def write_marks(folder: Path) -> Path:
    """Write a level series with marks of its waves beside it."""
    source = _writer("epl")(folder)
    names = ["Level", *(f"P{k} {what}" for k in range(1, 6) for what in ("Latency", "Amplitude"))]
    rows = ["\t".join([f"{level}", *["1.5", "0.2"] * 5]) for level in (20, 40, 60, 80)]
    lines = ["Threshold (dB SPL): 30.0", "\t".join(names), *rows]
    (folder / f"{source.name}-16.00-analyzed.txt").write_text("\n".join(lines) + "\n")
    return source


def write_set(folder: Path) -> Path:
    """Write a stored set of four recordings."""
    from neuroprism.abr.importers import Declared, read_recordings
    from neuroprism.abr.store import save_recordings

    source = _writer("table")(folder)
    save_recordings(
        folder / "set.npz", read_recordings(source, "table", Declared(**_declared("table"))).recordings
    )
    source.unlink()
    return folder / "set.npz"


def _read_set(path: Path) -> object:
    from neuroprism.abr.store import load_recordings

    return load_recordings(path)


def _write_traces(folder: Path) -> Path:
    path = folder / "traces.csv"
    names = ["patient_id", "ear", "sample_rate_hz", "start_ms", "level_db_nhl", *map(str, range(1, 31))]
    cells = [f"{x:.4f}" for x in np.sin(np.arange(30.0))]
    rows = [",".join(["7", "L", "20000", "0", level, *cells]) for level in ("20", "40")]
    path.write_text("\n".join([",".join(names), *rows]) + "\n")
    return path


def _read_traces(path: Path) -> object:
    from neuroprism.abr.trace_table import read_traces

    return read_traces(path, sample_rate_hz=20_000.0)


def _write_conditions(folder: Path) -> Path:
    path = folder / "conditions.csv"
    path.write_text("age_years,level_db_nhl,rate_hz\n30,40,21.1\n,60,\n")
    return path


def _read_conditions(path: Path) -> object:
    from neuroprism.abr.conditions import read_conditions

    return read_conditions(path, 3)


@functools.cache
def _simulated() -> Any:
    from neuroprism.abr import SimulationConfig, simulate

    return simulate(SimulationConfig(n_patients=30))


def _write_split(folder: Path) -> Path:
    from neuroprism.abr import SplitConfig, split_by_patient
    from neuroprism.abr.splits import make_manifest, write_manifest

    recordings, config = _simulated(), SplitConfig()
    split = split_by_patient(recordings, config)
    write_manifest(folder / "split.json", make_manifest(split, recordings, config))
    return folder / "split.json"


def _read_split(path: Path) -> object:
    from neuroprism.abr.splits import read_split

    return read_split(path, _simulated())


def _importer(name: str) -> Reader:
    return Reader(
        name=f"import {name}",
        modules=tuple(f"abr.importers.{module}" for module in IMPORTER_MODULES[name]),
        write=_writer(name),
        read=functools.partial(_import, name),
        command=functools.partial(_import_words, name),
        # Integers without a header: whatever stands there is a signal.
        optional=frozenset({"N1evoked_ave_20_F4_R1.dat"}) if name == "wfdb" else frozenset(),
    )


READERS = (
    *map(_importer, IMPORTER_MODULES),
    Reader(
        name="import xlsx",
        modules=("abr.importers.table",),
        write=write_excel,
        read=functools.partial(_import, "table"),
        command=functools.partial(_import_words, "table"),
    ),
    Reader(
        name="import epl with marks",
        modules=("abr.importers.epl", "abr.importers.epl_marks"),
        write=write_marks,
        read=functools.partial(_import, "epl"),
    ),
    Reader(
        name="stored recordings",
        modules=("abr.store",),
        write=write_set,
        read=_read_set,
        command=lambda path: ["plot", "abr", str(path), "--save", str(path.parent / "never.png")],
    ),
    Reader(
        name="traces to predict",
        modules=("abr.trace_table",),
        write=_write_traces,
        read=_read_traces,
        # A table of one sample a trace.
        takes=frozenset({"many rows"}),
    ),
    Reader(name="conditions", modules=("abr.conditions",), write=_write_conditions, read=_read_conditions),
    Reader(name="split of a run", modules=("abr.splits",), write=_write_split, read=_read_split),
)
