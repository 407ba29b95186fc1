from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text


@pytest.fixture
def check_texts() -> Callable[[Figure], None]:
    """Check that no two texts of a figure overlap, and that none leaves the picture."""
    return _check_texts


def _check_texts(figure: Figure) -> None:
    figure.draw_without_rendering()
    texts = [
        (text.get_text(), text.get_window_extent())
        for text in figure.findobj(Text)
        if isinstance(text, Text) and text.get_visible() and text.get_text().strip() and _in_sight(text)
    ]
    assert texts
    for said, box in texts:
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1, said
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1, said
    for (said, box), (other, place) in itertools.combinations(texts, 2):
        assert not box.overlaps(place), (said, other)


def _in_sight(text: Text) -> bool:
    """Tell whether a text is drawn: ticks beyond the limits of their axis, or with shared labels, are not."""
    for axes in text.figure.axes if text.figure is not None else []:
        if not axes.axison and text in axes.findobj(Text):
            return text in axes.texts
        for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            for tick in axis.get_major_ticks() + axis.get_minor_ticks():
                if text in (tick.label1, tick.label2):
                    return min(low, high) <= tick.get_loc() <= max(low, high)
    return True
