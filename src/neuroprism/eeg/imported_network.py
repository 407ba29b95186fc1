"""A network of somebody else, named ``package.module:Class``, in the convention of braindecode."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from neuroprism.core.errors import ConfigError, suggest
from neuroprism.eeg.spec import SAMPLE_RATE_HZ, DatasetSpec

_FAILURES = (
    RuntimeError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    LookupError,
    NameError,
    OSError,
)


def import_network(name: str, spec: DatasetSpec) -> nn.Module:
    """Build the network `name` for `spec` and try it on one window of zeros.

    The class is called with `n_chans`, `n_outputs`, `n_times` and `sfreq`; the network maps
    (batch, channels, time) to (batch, outputs).

    Raises
    ------
    ConfigError
        If it cannot be imported, built or applied; the message says what is missing or expected.
    """
    kind = _find(name)
    sizes = {
        "n_chans": spec.n_channels,
        "n_outputs": spec.n_outputs,
        "n_times": spec.n_times,
        "sfreq": SAMPLE_RATE_HZ,
    }
    _check_signature(name, kind, sizes)
    try:
        network = kind(**sizes)
    except _FAILURES as error:
        given = ", ".join(f"{key}={value}" for key, value in sizes.items())
        raise ConfigError(f"model.backbone '{name}' refuses {given}: {_first_line(error)}") from error
    if not isinstance(network, nn.Module):
        raise ConfigError(f"model.backbone '{name}' gives {type(network).__name__}, not a torch.nn.Module")
    _try(name, network, spec)
    return network


def _find(name: str) -> Callable[..., Any]:
    module_name, _, attribute = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ConfigError(f"model.backbone '{name}': {_missing(module_name, error.name or '')}") from None
    except (ImportError, SyntaxError, *_FAILURES) as error:
        raise ConfigError(f"model.backbone '{name}' cannot be imported: {_first_line(error)}") from error
    kind = getattr(module, attribute, None)
    if kind is None:
        public = [entry for entry in vars(module) if not entry.startswith("_")]
        raise ConfigError(
            f"model.backbone '{name}': {module_name} has no '{attribute}'{suggest(attribute, public)}"
        )
    if not callable(kind):
        raise ConfigError(f"model.backbone '{name}' is {type(kind).__name__}, not a class of networks")
    return kind  # type: ignore[no-any-return]


def _missing(module_name: str, missing: str) -> str:
    package = missing.partition(".")[0]
    if not (module_name == missing or module_name.startswith(f"{missing}.")):
        return f"{module_name} needs '{package}', which is not installed (pip install {package})"
    if package == missing:
        return f"'{package}' is not installed (pip install {package}) and not on the path of Python"
    parent = missing.rpartition(".")[0]
    return f"'{parent}' has no module '{missing.rpartition('.')[2]}'"


def _check_signature(name: str, kind: Callable[..., Any], sizes: dict[str, Any]) -> None:
    try:
        signature = inspect.signature(kind)
    except ValueError:
        # A class of an extension module may not tell; calling it will.
        return
    try:
        signature.bind(**sizes)
    except TypeError as error:
        raise ConfigError(
            f"model.backbone '{name}' must take {', '.join(sizes)} by name and nothing else without a "
            f"default, but is {kind.__name__}{signature}: {error}"
        ) from None


def _try(name: str, network: nn.Module, spec: DatasetSpec) -> None:
    """Apply the network once: lazy layers get their sizes, and a wrong output is found now."""
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            y = network(torch.zeros(1, spec.n_channels, spec.n_times))
    except _FAILURES as error:
        raise ConfigError(
            f"model.backbone '{name}' fails on an input of shape (1, {spec.n_channels}, {spec.n_times}): "
            f"{_first_line(error)}"
        ) from error
    network.train(was_training)
    shape = tuple(y.shape) if isinstance(y, torch.Tensor) else type(y).__name__
    if shape != (1, spec.n_outputs):
        raise ConfigError(
            f"model.backbone '{name}' maps one window to {shape}; expected (batch, outputs) = "
            f"(1, {spec.n_outputs})"
        )


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
