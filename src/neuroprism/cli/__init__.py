"""The command line: one file a command; configuration, data, task and monitor meet here only."""

from neuroprism.cli.app import main, run

__all__ = ["main", "run"]
