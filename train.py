"""Train a model: the same as `neuroprism train`."""

from neuroprism.cli import main

main("train")
