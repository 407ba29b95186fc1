"""The part of the report on denoised signals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from neuroprism.abr.evaluation.denoising import DenoisingResult
from neuroprism.abr.evaluation.markdown import cell, paragraphs, table

_DIGITS = {"uV^2": 5, "uV": 4, "dB": 2}
_CLEAN = "no noise"


def signal_section(results: Sequence[DenoisingResult], absent: Mapping[str, str]) -> str:
    """Return a table of each measure over the ratios, or why there is none."""
    heading = "## Denoising"
    if not results:
        return f"{heading}\n\nNot measured: {absent['denoising']}."
    tables = []
    for name in dict.fromkeys(result.name for result in results):
        rows = [result for result in results if result.name == name]
        methods = list(rows[0].scores)
        unit = f", {rows[0].unit}" if rows[0].unit else ""
        header = [f"{rows[0].label}{unit} ({rows[0].better} is better)", *methods]
        digits = _DIGITS.get(rows[0].unit, 3)
        body = [[_ratio(row), *(cell(row.scores.get(name), digits) for name in methods)] for row in rows]
        tables.append(table(header, body))
    n = next(iter(results[0].scores.values())).n
    return paragraphs(
        heading,
        f"Noise was added to {n:,} true responses at stated ratios of power. `noisy input`: the trace as it "
        "is. `linear estimate`: the best linear filter for the training responses and this very noise, which "
        "the network is not told.",
        *tables,
    ).rstrip()


def _ratio(result: DenoisingResult) -> str:
    return _CLEAN if result.input_snr_db is None else f"{result.input_snr_db:g} dB"
