"""Reading a folder with `steps.jsonl`, and what lies beside it: `epochs.jsonl`, `meta.json`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from neuroprism.monitor import layout
from neuroprism.runs.traces.assemble import trace_of
from neuroprism.runs.traces.declared import read_meta
from neuroprism.runs.traces.json_lines import read_json_lines
from neuroprism.runs.traces.naming import named
from neuroprism.runs.traces.trace import Trace

EPOCHS, META = "epochs.jsonl", "meta.json"


def read_steps_folder(folder: Path, mapping: Mapping[str, str]) -> Trace:
    """Read `steps.jsonl` in a folder, and what lies beside it."""
    notes: list[str] = []
    table = read_json_lines(folder / layout.STEPS, notes)
    beside = folder / EPOCHS
    epochs = read_json_lines(beside, notes) if beside.is_file() and beside.stat().st_size else None
    table, epochs = named(table, epochs, mapping, source=folder / layout.STEPS)
    return trace_of(folder.resolve().name, table, notes, declared=read_meta(folder / META), epochs=epochs)
