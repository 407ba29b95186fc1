"""Recorded runs: read, summarised, compared and exported."""
