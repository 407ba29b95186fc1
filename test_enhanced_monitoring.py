"""Check the whole monitoring path on a short real run: the same as `neuroprism check-monitoring`."""

from neuroprism.cli import main

main("check-monitoring")
