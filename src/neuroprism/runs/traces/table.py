"""Columns of numbers in which a missing value is told from one that is not a number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neuroprism.core.errors import DataError
from neuroprism.monitor.window import FloatArray

BoolArray = npt.NDArray[np.bool_]

MOST_COLUMNS = 4096

NON_FINITE = {
    "nan": np.nan,
    "inf": np.inf,
    "+inf": np.inf,
    "-inf": -np.inf,
    "infinity": np.inf,
    "+infinity": np.inf,
    "-infinity": -np.inf,
}
"""Words that stand for a number, in lower case."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """Numbers of one name.

    Attributes
    ----------
    values
        (n,) NaN where there is none.
    given
        (n,) whether a value stands there, be it NaN.
    null
        (n,) where it stands there as null; None for nowhere.
    """

    values: FloatArray
    given: BoolArray
    null: BoolArray | None = None

    def __getitem__(self, rows: Any) -> Column:
        null = None if self.null is None else self.null[rows]
        return Column(values=self.values[rows], given=self.given[rows], null=null)

    @property
    def numbers(self) -> BoolArray:
        """(n,) whether a number stands there, be it NaN, but not null."""
        return self.given if self.null is None else self.given & ~self.null


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Columns by name, all of `n_rows` rows."""

    n_rows: int
    columns: Mapping[str, Column]

    def __getitem__(self, name: str) -> Column:
        return self.columns[name]

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def take(self, rows: Any) -> Table:
        """Return some of the rows."""
        columns = {name: column[rows] for name, column in self.columns.items()}
        n_rows = len(np.empty(self.n_rows, dtype=np.bool_)[rows])
        return Table(n_rows=n_rows, columns=columns)

    def without(self, name: str) -> Table:
        """Return the table without a column."""
        columns = {other: column for other, column in self.columns.items() if other != name}
        return Table(n_rows=self.n_rows, columns=columns)

    def renamed(self, names: Mapping[str, str]) -> Table:
        """Return the columns in `names` under their new names; of two with the same one fills the gaps."""
        columns: dict[str, Column] = {}
        for old, new in names.items():
            column = self.columns[old]
            columns[new] = column if new not in columns else _filled(columns[new], column)
        return Table(n_rows=self.n_rows, columns=columns)


def _filled(column: Column, other: Column) -> Column:
    use_other = ~column.given & other.given
    null = None
    if column.null is not None or other.null is not None:
        none = np.zeros(len(column.given), dtype=np.bool_)
        null = np.where(use_other, _or(other.null, none), _or(column.null, none))
    return Column(
        values=np.where(use_other, other.values, column.values), given=column.given | other.given, null=null
    )


def _or(mask: BoolArray | None, none: BoolArray) -> BoolArray:
    return none if mask is None else mask


def full_column(values: FloatArray) -> Column:
    """Return a column without gaps."""
    return Column(values=values, given=np.ones(len(values), dtype=np.bool_))


def table_of_rows(rows: Sequence[Mapping[str, Any]], *, source: str) -> Table:
    """Return a table of rows of values; what is no number, or word for one, is left out.

    Raises
    ------
    DataError
        If the rows have more names than any log of metrics has.
    """
    names = dict.fromkeys(name for row in rows for name in row)
    if len(names) > MOST_COLUMNS:
        raise DataError(f"{source} has more than {MOST_COLUMNS} columns: no log of a training run")
    columns = {name: _column([row.get(name, _ABSENT) for row in rows]) for name in names}
    return Table(n_rows=len(rows), columns={name: c for name, c in columns.items() if c.given.any()})


_ABSENT = object()


def _column(cells: list[Any]) -> Column:
    numbers = [number_of(cell) for cell in cells]
    given = np.array([number is not _NO_NUMBER for number in numbers], dtype=np.bool_)
    null = np.array([number is None for number in numbers], dtype=np.bool_)
    values = np.array(
        [np.nan if number is None or number is _NO_NUMBER else number for number in numbers],
        dtype=np.float64,
    )
    return Column(values=values, given=given, null=null if null.any() else None)


_NO_NUMBER = object()


def number_of(cell: Any) -> Any:
    """Return a cell as a float, None for null, or a mark where it is no number."""
    if isinstance(cell, float) or cell is None:
        return cell
    if isinstance(cell, int):
        try:
            return float(cell)
        except OverflowError:
            return np.inf if cell > 0 else -np.inf
    if isinstance(cell, str):
        return NON_FINITE.get(cell.strip().lower(), _NO_NUMBER)
    return _NO_NUMBER


def join(tables: Iterable[Table]) -> Table:
    """Return tables below each other, without columns in which there is no number."""
    parts = list(tables)
    names = dict.fromkeys(name for part in parts for name in part.columns)
    if len(parts) == 1:
        columns = dict(parts[0].columns)
    else:
        columns = {name: _joined([(part.n_rows, part.columns.get(name)) for part in parts]) for name in names}
    return Table(
        n_rows=sum(part.n_rows for part in parts),
        columns={name: column for name, column in columns.items() if column.numbers.any()},
    )


def _joined(parts: list[tuple[int, Column | None]]) -> Column:
    none = [np.zeros(n, dtype=np.bool_) for n, _ in parts]
    pairs = list(zip(parts, none, strict=True))
    has_null = any(column is not None and column.null is not None for _, column in parts)
    return Column(
        values=np.concatenate([np.full(n, np.nan) if c is None else c.values for n, c in parts]),
        given=np.concatenate([no if c is None else c.given for (_, c), no in pairs]),
        null=np.concatenate([no if c is None or c.null is None else c.null for (_, c), no in pairs])
        if has_null
        else None,
    )
