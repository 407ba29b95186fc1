"""Epochs as the Berlin BCI toolbox saves them: a MATLAB struct with x, y, clab and fs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neuroprism.core.errors import DataError
from neuroprism.eeg.readers.mat import numeric, read_mat, scalar, struct_field, texts


@dataclass(frozen=True, kw_only=True, slots=True)
class BbciEpochs:
    """Trials of one file.

    Attributes
    ----------
    signal
        (trials, C, T) in the unit of the file.
    channels
        (C,) names; empty where the file has none.
    sample_rate_hz
        Of the signal; None where the file does not say.
    y
        What the file has for labels, one-hot (classes, trials); None where it has nothing.
    where
        File and variable, for messages.
    """

    signal: npt.NDArray[np.generic]
    channels: tuple[str, ...]
    sample_rate_hz: float | None
    y: Any
    where: str

    def labels(self, n_classes: int) -> npt.NDArray[np.int64]:
        """Return the class of each trial.

        Raises
        ------
        DataError
            If there are no labels, or a trial has none or several of `n_classes`.
        """
        if self.y is None:
            raise DataError(f"{self.where}: no field 'y' with the labels")
        marks = np.asarray(numeric(self.y, 2, f"{self.where}.y") != 0)
        if len(marks) != n_classes or not np.all(marks.sum(axis=0) == 1):
            raise DataError(
                f"{self.where}.y of shape {marks.shape} does not name one of {n_classes} classes a trial"
            )
        classes: npt.NDArray[np.int64] = marks.argmax(axis=0).astype(np.int64)
        return classes


def read_bbci_epochs(path: Path, name: str) -> BbciEpochs:
    """Read the epochs in the variable `name` of a MATLAB file of any version.

    Raises
    ------
    DataError
        If the file is damaged, or the variable is no such struct.
    """
    where = f"{path}: {name}"
    (epochs,) = read_mat(path, name)
    signal = numeric(struct_field(epochs, "x", where), 3, f"{where}.x").transpose(2, 1, 0)
    return BbciEpochs(
        signal=signal,
        channels=tuple(texts(epochs["clab"], f"{where}.clab")) if "clab" in epochs else (),
        sample_rate_hz=scalar(epochs["fs"], f"{where}.fs") if "fs" in epochs else None,
        y=epochs.get("y"),
        where=where,
    )
