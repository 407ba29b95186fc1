"""`neuroprism check-monitoring`: the whole monitoring path on a short real run."""

from __future__ import annotations


def check_monitoring() -> None:
    """Check the monitoring path."""
