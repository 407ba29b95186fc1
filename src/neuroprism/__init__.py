"""Trains biosignal networks and shows what happens while they train.

The packages are imported one by one: `neuroprism.monitor` needs no torch.
"""

from importlib.metadata import version

__version__ = version("neuroprism")
__all__ = ["__version__"]
