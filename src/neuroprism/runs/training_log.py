"""Reading `training_log.json`, of this project and of earlier code."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from neuroprism.core.errors import DataError
from neuroprism.runs.context import RunContext, read_context
from neuroprism.runs.history import LISTS, TASK_LISTS, TrainingHistory

_ALWAYS = ("train_loss", "learning_rate", "epoch_time")
_N_NAMED = 5


def read_training_log(path: str | Path) -> TrainingHistory:
    """Read a log in the documented layout, complete or not.

    Keys may be missing, lists may be empty or of different length, entries may
    be null: `TrainingHistory.notes` says so. Bare ``NaN``, which earlier code
    wrote, is read as well. What lies beside the file, the card and the
    configuration of the run, is read into `TrainingHistory.context`.

    Raises
    ------
    DataError
        If the file is missing, is not JSON or holds no training log.
    """
    path = Path(path)
    return history_of(_read(path), source=str(path), path=path, context=read_context(path.parent))


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"no training log at {path}") from None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is not JSON: not a text file") from None
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{path} is not JSON: {error.msg} in line {error.lineno}") from None
    except (ValueError, RecursionError):
        # A number of thousands of digits, or lists inside each other without end.
        raise DataError(f"{path} is not JSON that a training log can hold") from None
    if not isinstance(content, dict) or not any(key in content for key in LISTS):
        raise DataError(f"{path} is JSON, but no training log: it has none of {', '.join(LISTS[:3])}, ...")
    return content


def history_of(
    content: dict[str, Any],
    *,
    source: str,
    path: Path | None = None,
    context: RunContext | None = None,
    dataset: str | None = None,
) -> TrainingHistory:
    """Return the history that `content` tells, checked.

    Parameters
    ----------
    content
        As in the file; anything may be missing.
    source
        Where it comes from, for messages.
    path, context, dataset
        See `TrainingHistory`.

    Raises
    ------
    DataError
        If an entry of a list is neither a number nor null.
    """
    context = context or RunContext()
    missing = [key for key in LISTS if key not in content]
    content = {
        **dict.fromkeys(LISTS, ()),
        "test_results": {},
        **{key: value for key, value in content.items() if value is not None},
    }
    content = {key: list(value) if isinstance(value, tuple) else value for key, value in content.items()}
    series = {key: value for key, value in content.items() if key in LISTS or "/" in key}
    for key, values in series.items():
        _check(key, values, source)
    history = TrainingHistory(
        content=content,
        n_epochs=max(map(len, series.values()), default=0),
        path=path,
        context=context,
        dataset=dataset or context.dataset,
        class_names=_class_names(content),
    )
    return replace(history, notes=(*_notes(history, missing), *context.notes))


def _check(key: str, values: Any, source: str) -> None:
    if not isinstance(values, list):
        raise DataError(f"{source}: '{key}' is not a list")
    for number, value in enumerate(values, start=1):
        if value is not None and not _is_number(value):
            raise DataError(f"{source}: '{key}', entry {number}: {_short(value)} is not a number")


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        float(value)
    except OverflowError:
        return False
    return True


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _class_names(content: dict[str, Any]) -> tuple[str, ...]:
    """Return the class names of the test results, else those that recalls are recorded under."""
    results = content["test_results"] if isinstance(content["test_results"], dict) else {}
    names = results.get("class_names")
    if isinstance(names, list):
        return tuple(map(str, names))
    for prefix, table in (("val/recall/", content), ("recall/", results)):
        found = tuple(key.removeprefix(prefix) for key in table if key.startswith(prefix))
        if found:
            return found
    return ()


def _notes(history: TrainingHistory, missing: list[str]) -> Iterable[str]:
    """Yield what a reader should know about gaps of the log."""
    if missing:
        yield f"missing: {', '.join(missing)}"
    expected = (*_ALWAYS, *(TASK_LISTS[history.task] if history.task else ()))
    empty = [key for key in expected if key not in missing and not history[key]]
    if empty and history.n_epochs:
        yield f"empty: {', '.join(empty)}"
    for key, values in history.items():
        if not isinstance(values, list) or key not in LISTS:
            continue
        if 0 < len(values) < history.n_epochs:
            yield f"{key} has {len(values)} of {history.n_epochs} entries"
        without = [str(k) for k, value in enumerate(values, start=1) if value is None or value != value]
        if values and len(without) == len(values):
            yield f"{key} has no value in any epoch"
        elif without:
            more = f" and {len(without) - _N_NAMED} more" if len(without) > _N_NAMED else ""
            yield f"{key} has no value in epoch {', '.join(without[:_N_NAMED])}{more}"
    if not isinstance(history["test_results"], dict):
        yield "test_results is not a table of results"
    best = history.best_epoch
    if best is not None and history.n_epochs and best > history.n_epochs:
        yield f"best epoch {best} lies beyond the {history.n_epochs} epochs of the lists"
