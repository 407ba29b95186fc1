"""What the windows cut from a recording must fulfil before they are stored."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neuroprism.core.errors import DataError
from neuroprism.eeg.recordings import Windows
from neuroprism.eeg.spec import DatasetSpec


def check_windows(windows: Windows, spec: DatasetSpec, where: str) -> None:
    """Refuse windows that are not what the declaration says.

    Parameters
    ----------
    windows
        Cut from one recording.
    spec
        The declaration.
    where
        Names the recording in the message.

    Raises
    ------
    DataError
        For a wrong shape or type, values that are not finite, or labels that
        the declaration does not know.
    """
    shape = tuple(windows.values.shape)
    if shape[1:] != spec.window_shape or len(shape) != len(spec.window_shape) + 1:
        raise DataError(
            f"{where}: windows of shape {shape[1:]}; {spec.name} declares {spec.window_shape}"
            f"{' (L, C, T)' if spec.sequence_length > 1 else ' (C, T)'}"
        )
    n = shape[0]
    if windows.values.dtype != np.float32:
        raise DataError(f"{where}: windows are {windows.values.dtype}, not float32")
    expected = {
        "labels": (n,) if spec.sequence_length == 1 else (n, spec.sequence_length),
        "starts_s": (n,),
        "trials": (n,),
    }
    for name, wanted in expected.items():
        found = np.shape(getattr(windows, name))
        if found != wanted:
            raise DataError(f"{where}: {name} has shape {found} for {n} windows; expected {wanted}")
    _check_finite(windows, spec, where)
    _check_labels(windows.labels, spec, where)


def _check_finite(windows: Windows, spec: DatasetSpec, where: str) -> None:
    for k, window in enumerate(windows.values):
        # The sum is NaN or infinite wherever a value is, and costs one pass without a mask.
        if not np.isfinite(window.sum(dtype=np.float64)):
            at_fault = ~np.isfinite(window).all(axis=-1).reshape(-1, spec.n_channels).all(axis=0)
            names = [name for name, bad in zip(spec.channels, at_fault, strict=True) if bad]
            raise DataError(
                f"{where}: not finite (NaN or infinite) in the window at "
                f"{float(windows.starts_s[k]):g} s, channel{'s' if len(names) > 1 else ''} {', '.join(names)}"
            )


def _check_labels(labels: npt.NDArray[np.generic], spec: DatasetSpec, where: str) -> None:
    if spec.task == "regression":
        if not np.issubdtype(labels.dtype, np.floating) or not np.isfinite(labels).all():
            raise DataError(f"{where}: a label is not a finite number")
        return
    if not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"{where}: labels are {labels.dtype}, not integers")
    found = sorted(set(np.unique(labels).tolist()) - set(range(len(spec.class_names))))
    if found:
        raise DataError(
            f"{where}: label {found[0]}; {spec.name} has the classes 0 to {len(spec.class_names) - 1}"
        )
