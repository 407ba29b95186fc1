"""`python -m neuroprism`: the same as `neuroprism`."""

from neuroprism.cli import main

if __name__ == "__main__":
    main()
