"""Trains biosignal networks and shows what happens while they train.

The packages are imported one by one: `neuroprism.monitor` needs no torch.
"""

__all__ = ["__version__"]


def __getattr__(name: str) -> str:
    if name == "__version__":
        # Reading the package's metadata takes a third of the time of `import neuroprism.monitor`.
        from importlib.metadata import version

        return version("neuroprism")
    raise AttributeError(f"module 'neuroprism' has no attribute '{name}'")
