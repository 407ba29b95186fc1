"""Quality of the shipped ABR network on simulated patients, and published results on other data.

The measurement takes about an hour and is not repeated here: `benchmarks/quality/measure.py` writes
`benchmarks/quality/RESULTS.md`, of which this prints the overview.

    python benchmarks/abr_quality.py
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

REPORT = Path(__file__).parent / "quality" / "RESULTS.md"


@dataclass(frozen=True)
class Anchor:
    """A published result, and where the number that it stands beside is found in the report."""

    quantity: str
    section: str
    column: str
    published: str
    source: str


ANCHORS = (
    Anchor(
        "wave V or response present, F1",
        "Presence of wave V",
        "F1",
        "0.92",
        "clinical, with a paired high-level trace (Darahem et al. 2025, 10.3389/fmed.2025.1693921)",
    ),
    Anchor(
        "AUROC",
        "Presence of wave V",
        "AUROC",
        "0.976",
        "128,123 ABRs of 13,813 people (Liu et al. 2025, 10.1177/23312165251347773)",
    ),
    Anchor(
        "sensitivity",
        "Presence of wave V",
        "sensitivity",
        "0.929",
        "clear, inconclusive or absent; 232 paired recordings of 8 adults (McKearney and MacKinnon 2019, "
        "10.1080/14992027.2018.1551633)",
    ),
    Anchor("specificity", "Presence of wave V", "specificity", "0.964", "the same"),
    Anchor(
        "latency within 0.1 ms",
        "Latency of wave V",
        "within 0.1 ms",
        "0.917",
        "human recordings (Ji et al. 2023, RCAR)",
    ),
    Anchor("latency, R2", "Latency of wave V", "R2", "0.90", "Darahem et al. 2025"),
    Anchor(
        "threshold of the ear within 10 dB",
        "Threshold, from all recordings of an ear",
        "within 10 dB",
        "0.993",
        "8,350 people, whole series (Transformer thresholds, 2026); 0.92 in mice (ABRpresto, PMC11580911)",
    ),
    Anchor(
        "class of five, macro-F1",
        "Hearing class, from one recording",
        "macro-F1",
        "0.215",
        "earlier hierarchical model on 51,961 private recordings, as measured by its authors",
    ),
    Anchor(
        "threshold, R2",
        "Threshold, from one recording",
        "R2",
        "-1.20",
        "the same model; its thresholds were made from class and level",
    ),
)


def section(report: str, title: str) -> str:
    """Return what stands under a heading of the second level."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", report, re.MULTILINE | re.DOTALL)
    if found is None:
        raise SystemExit(f"{REPORT} has no section '{title}'")
    return found[1].strip()


def network_value(report: str, anchor: Anchor) -> str:
    """Return the network's value with its interval from a table of the report."""
    table = [
        line.strip("| ").split(" | ") for line in section(report, anchor.section).splitlines() if "|" in line
    ]
    header = next(row for row in table if anchor.column in row)
    return next(row for row in table if row[0] == "network")[header.index(anchor.column)]


def main() -> None:
    """Print the overview, and the anchors beside the network."""
    report = REPORT.read_text(encoding="utf-8")
    print(report.split("\n\n")[1])
    print(f"\n{section(report, 'At a glance')}\n")
    print("Results of others on other data, which only say what is usual:\n")
    print("| quantity | network, simulated patients | published | on what |\n|---|--:|--:|---|")
    for anchor in ANCHORS:
        print(
            f"| {anchor.quantity} | {network_value(report, anchor)} | {anchor.published} | {anchor.source} |"
        )
    print("\nThe whole report: [quality/RESULTS.md](quality/RESULTS.md).")


if __name__ == "__main__":
    main()
