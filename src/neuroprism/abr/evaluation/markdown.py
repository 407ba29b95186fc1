"""Tables and numbers of the report in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from neuroprism.abr.evaluation.score import Score, text

ABSENT = "-"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; the first column to the left, others to the right."""
    lines = [header, ["---", *["--:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def cell(found: Score | None, digits: int) -> str:
    """Return value and interval, or the sign for what does not apply."""
    return ABSENT if found is None else text(found, digits)


def bullets(lines: Sequence[str]) -> str:
    """Return a list."""
    return "\n".join(f"- {line}" for line in lines)


def paragraphs(*parts: str) -> str:
    """Join what is not empty, a blank line between."""
    return "\n\n".join(part for part in parts if part) + "\n"
