"""Predictions as files: CSV for tables, JSON for programs; units stand in the names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from neuroprism.abr.csv_table import encode_csv
from neuroprism.abr.predictions import AbrPredictions
from neuroprism.core import strict_json
from neuroprism.core.errors import UserError
from neuroprism.core.output_file import require_free, write_output

FORMAT = "neuroprism.abr_predictions"
SCHEMA_VERSION = 1
SUFFIXES = (".csv", ".json")


def check_target(path: Path, *, overwrite: bool) -> None:
    """Refuse a file that cannot be written as asked, before anything is computed.

    Raises
    ------
    UserError
        If the ending is another one, or the file exists and may not be replaced.
    """
    if path.suffix not in SUFFIXES:
        raise UserError(f"--out {path}: the name must end in {' or '.join(SUFFIXES)}")
    require_free(path, overwrite=overwrite, example="predictions.csv")


def write_predictions(path: Path, predictions: AbrPredictions) -> None:
    """Write a CSV or JSON file atomically, by its ending.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    write_output(path, _csv(predictions) if path.suffix == ".csv" else _json(predictions))


def _csv(predictions: AbrPredictions) -> bytes:
    """One row a recording; an empty cell where a value does not apply; denoised samples by their time."""
    table = predictions.columns()
    if predictions.denoised_uv is not None:
        for time_ms, values in zip(predictions.time_ms, predictions.denoised_uv.T, strict=True):
            table[f"denoised_uv_at_{time_ms:g}_ms"] = values.astype(float).tolist()
    return encode_csv(table)


def _json(predictions: AbrPredictions) -> bytes:
    table = predictions.columns()
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    content: dict[str, Any] = {
        "format": FORMAT,
        "schema": SCHEMA_VERSION,
        "statement": predictions.statement,
        "provenance": dict(predictions.provenance),
        "notes": list(predictions.notes),
        "class_names": list(predictions.class_names),
        "recordings": rows,
        "ears": [
            {
                "ear_id": ear.ear_id,
                "recordings": [row + 1 for row in ear.rows],
                "levels_db_nhl": list(ear.levels_db_nhl),
                "threshold_db_nhl": ear.threshold_db_nhl,
                "threshold_low_db_nhl": ear.low_db_nhl,
                "threshold_high_db_nhl": ear.high_db_nhl,
                "lowest_level_with_v_db_nhl": ear.lowest_level_with_v_db_nhl,
                "v_missing_above": ear.v_missing_above,
            }
            for ear in predictions.ears
        ],
    }
    if predictions.denoised_uv is not None:
        content["time_ms"] = np.round(predictions.time_ms, 6).tolist()
        for row, trace in zip(rows, predictions.denoised_uv, strict=True):
            row["denoised_uv"] = [round(float(value), 6) for value in trace]
    return strict_json.encode_pretty(content, non_finite_as_null=True)
