"""Trains biosignal networks and shows what happens while they train.

The packages are imported one by one: `neuroprism.monitor` needs no torch.

Examples
--------
>>> from neuroprism import diagnose, load_run, plot_training_progress
>>> history = plot_training_progress("results/training_log.json")  # doctest: +SKIP
>>> load_run("logs/demo").epochs  # doctest: +SKIP
>>> diagnose("logs/demo").healthy  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neuroprism.abr.predictor import AbrPredictor
    from neuroprism.figures.training_grid_show import plot_training_progress
    from neuroprism.runs.diagnosis import diagnose
    from neuroprism.runs.load import load_run

__all__ = ["AbrPredictor", "__version__", "diagnose", "load_run", "plot_training_progress"]

# Loaded when first asked for, so that `import neuroprism.monitor` stays light.
_PLACES = {
    "AbrPredictor": "neuroprism.abr.predictor",
    "diagnose": "neuroprism.runs.diagnosis",
    "load_run": "neuroprism.runs.load",
    "plot_training_progress": "neuroprism.figures.training_grid_show",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        # Reading the package's metadata takes a third of the time of `import neuroprism.monitor`.
        from importlib.metadata import version

        return version("neuroprism")
    if name in _PLACES:
        from importlib import import_module

        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module 'neuroprism' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
