"""Writing a figure to a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from neuroprism.core.files import replace_with
from neuroprism.figures.style import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# No date inside: the same record gives the same file.
_METADATA: dict[str, dict[str, str | None]] = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}


def save_figure(figure: Figure, path: Path, *, dpi: int = 130) -> None:
    """Replace `path` by the figure at once; its ending (.png, .pdf, .svg) names the format.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    kind, metadata = path.suffix.removeprefix("."), _METADATA.get(path.suffix, {})
    with style():
        replace_with(path, lambda file: figure.savefig(file, format=kind, dpi=dpi, metadata=metadata))
