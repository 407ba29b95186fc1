"""Which subjects are simulated, so that every split has some."""

from __future__ import annotations

from neuroprism.core.errors import ConfigError


def spread(n_subjects: int, train: range, val: range, test: range) -> list[int]:
    """Return subject numbers from three ranges: about a fifth each for validation and test, at least one.

    Raises
    ------
    ConfigError
        For fewer than three subjects, or more than the protocol has.
    """
    ranges = (train, val, test)
    n_all = sum(map(len, ranges))
    if not 3 <= n_subjects <= n_all:
        raise ConfigError(f"subjects: {n_subjects}; the protocol has 3 to {n_all}")
    n_val = min(len(val), max(1, n_subjects // 5))
    n_test = min(len(test), max(1, n_subjects // 5))
    n_train = min(len(train), n_subjects - n_val - n_test)
    # What the training range cannot take goes where there is room.
    n_val = min(len(val), n_subjects - n_train - n_test)
    n_test = n_subjects - n_train - n_val
    return [*train[:n_train], *val[:n_val], *test[:n_test]]
