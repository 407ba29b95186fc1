"""Records as TensorBoard's protocol buffers.

Import this module only where event files are written: it loads `tensorboard`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.plugins.custom_scalar import layout_pb2

from neuroprism.core.records import TOTAL, Component
from neuroprism.monitor.histograms import Histogram

LAYOUT_TAG = "custom_scalars__config__"


def version_event() -> Any:
    """Return the event that begins every file."""
    return Event(wall_time=time.time(), file_version="brain.Event:2")


def restart_event() -> Any:
    """Return the event that makes a reader forget what it has read of this run."""
    return Event(wall_time=time.time(), step=0, session_log=SessionLog(status=SessionLog.START))


def parse_event(data: bytes) -> Any:
    """Return the event that `data` encodes."""
    return Event.FromString(data)


def summary_event(step: int, values: Iterable[Any]) -> Any:
    """Return one event with several summary values."""
    return Event(wall_time=time.time(), step=step, summary=Summary(value=list(values)))


def scalar_values(numbers: Mapping[str, float]) -> list[Any]:
    """Return one scalar value per tag."""
    return [Summary.Value(tag=tag, simple_value=number) for tag, number in numbers.items()]


def _strings(plugin: str, texts: Sequence[bytes], shape: Sequence[int]) -> dict[str, Any]:
    return {
        "metadata": SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name=plugin)),
        "tensor": TensorProto(
            dtype=DT_STRING,
            string_val=texts,
            tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=n) for n in shape]),
        ),
    }


def text_value(tag: str, markdown: str) -> Any:
    """Return a text value, shown in the text tab."""
    return Summary.Value(tag=tag, **_strings("text", [markdown.encode()], [1]))


def histogram_value(tag: str, histogram: Histogram) -> Any:
    """Return a histogram value; a first empty bucket gives the left edge."""
    proto = HistogramProto(
        min=histogram.minimum,
        max=histogram.maximum,
        num=float(histogram.counts.sum()),
        sum=histogram.total,
        sum_squares=histogram.total_squares,
        bucket_limit=histogram.edges.tolist(),
        bucket=[0.0, *histogram.counts.tolist()],
    )
    return Summary.Value(tag=tag, histo=proto)


def _chart(title: str, tags: Iterable[str]) -> Any:
    patterns = [f"^{re.escape(tag)}$" for tag in tags]
    return layout_pb2.Chart(title=title, multiline=layout_pb2.MultilineChartContent(tag=patterns))


def layout_value(components: Sequence[Component]) -> Any:
    """Return the layout of the custom-scalars tab.

    One category breaks the loss down, one chart for all weighted components
    and one for their shares; the other has a chart per component with the
    training and the validation curve.
    """
    names = [c.name for c in components]
    breakdown = layout_pb2.Category(
        title="Loss breakdown",
        chart=[
            _chart("weighted components (training)", (f"loss_breakdown/{name}" for name in names)),
            _chart("share of the total (training)", (f"loss_share/{name}" for name in names)),
            _chart("components per step", (f"step/{name}" for name in names)),
        ],
    )
    pairs = [(TOTAL, "Total"), *((c.name, c.label) for c in components)]
    against = layout_pb2.Category(
        title="Train against validation",
        chart=[_chart(label, (f"train/{name}", f"val/{name}")) for name, label in pairs],
    )
    content = layout_pb2.Layout(category=[breakdown, against]).SerializeToString()
    return Summary.Value(tag=LAYOUT_TAG, **_strings("custom_scalars", [content], []))
