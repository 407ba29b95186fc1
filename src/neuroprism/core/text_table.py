"""Tables of plain text, aligned for people."""

from __future__ import annotations

from collections.abc import Sequence


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, indent: str = "") -> str:
    """Return rows below a header, two spaces between columns; the first column to the left, others right.

    Examples
    --------
    >>> print(text_table(["run", "acc"], [["a", "0.50"], ["long name", "0.625"]]))
    run          acc
    a           0.50
    long name  0.625
    """
    table = [list(header), *map(list, rows)]
    widths = [max(len(row[k]) for row in table) for k in range(len(header))]
    lines = []
    for row in table:
        first = row[0].ljust(widths[0])
        others = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append(indent + "  ".join([first, *others]).rstrip())
    return "\n".join(lines)
