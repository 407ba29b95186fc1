"""Errors that a user can act on.

Every error carries one line that says what is wrong and, where a name was
mistyped, the nearest valid one. The command line prints that line and leaves
with `exit_code`; it never shows a traceback for them. Whatever a file put into
the line, it stays one line, of bounded length, and cannot steer a terminal.

```
NeuroprismError            exit code 1
  UserError                exit code 2: the input is at fault, nothing was written
    ConfigError            a configuration key or value
    UnknownNameError       a name that is not registered
    DataError              a data file
    RunError               a run folder
  TrainingError            exit code 1: training could not go on
    TrainingStopped        after a complete step, which is saved
```
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LONGEST = 1000
"""Characters of a message; of a longer one the middle is left out."""

_END = 400


def printable(text: str) -> str:
    """Return text in one line, with control characters spelled out as in a Python string."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def printable_lines(text: str) -> str:
    """Return text of several lines, with every other control character spelled out."""
    return "\n".join(printable(line) for line in text.split("\n"))


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - _END - 5]} ... {text[-_END:]}"


class NeuroprismError(Exception):
    """Base of all errors raised on purpose.

    Attributes
    ----------
    said_by
        Where several processes train together: the rank of the one that tells
        the user, so that the others keep quiet. None: nothing was agreed.
    """

    exit_code = 1
    said_by: int | None = None

    def __str__(self) -> str:
        return _shortened(printable(_shortened(super().__str__())))


class UserError(NeuroprismError):
    """The input is at fault; nothing was written."""

    exit_code = 2


class ConfigError(UserError):
    """A configuration key or value is wrong."""


class DataError(UserError):
    """A data file is missing, damaged or does not fit."""


class RunError(UserError):
    """A run folder cannot be used as asked."""


class TrainingError(NeuroprismError):
    """Training could not go on."""


class TrainingStopped(TrainingError):  # noqa: N818 - training did what it was asked to
    """Training was stopped after a complete step, from which it can continue."""

    def followed_by(self, more: str) -> TrainingStopped:
        """Return the same with more said."""
        error = type(self)(f"{self}; {more}")
        error.said_by = self.said_by
        return error


class UnknownNameError(UserError):
    """A name that is not among the valid ones.

    Parameters
    ----------
    kind
        What the name stands for, e.g. ``"loss component"``.
    name
        The name as given.
    valid
        All valid names.
    """

    def __init__(self, kind: str, name: str, valid: Iterable[str]) -> None:
        self.kind, self.name, self.valid = kind, name, sorted(valid)
        super().__init__(f"unknown {kind} '{name}'{suggest(name, self.valid)}")


def suggest(name: str, valid: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for a near match, whatever its case, else the list of valid names."""
    names = sorted(valid)
    folded = {valid_name.casefold(): valid_name for valid_name in names}
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    if near:
        return f"; did you mean '{folded[near[0]]}'?"
    return f"; valid: {', '.join(names)}" if names else ""
