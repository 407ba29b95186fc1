from __future__ import annotations

import pytest

from neuroprism.core import errors


def test_errors_of_the_user_leave_with_2_and_others_with_1() -> None:
    users = (errors.ConfigError, errors.DataError, errors.RunError)
    assert [kind("x").exit_code for kind in users] == [2, 2, 2]
    assert errors.UnknownNameError("task", "a", ["b"]).exit_code == 2
    assert errors.TrainingError("x").exit_code == 1
    assert all(issubclass(kind, errors.NeuroprismError) for kind in users)


@pytest.mark.parametrize(
    ("name", "valid", "end"),
    [
        ("epohcs", ["epochs", "seed"], "; did you mean 'epochs'?"),
        ("faced", ["FACED", "SEED-V"], "; did you mean 'FACED'?"),
        ("zzz", ["epochs", "seed"], "; valid: epochs, seed"),
        ("zzz", [], ""),
    ],
)
def test_suggestion(name: str, valid: list[str], end: str) -> None:
    assert errors.suggest(name, valid) == end


def test_message_is_one_line() -> None:
    error = errors.UnknownNameError("model", "unett", {"unet", "mamba"})
    assert str(error) == "unknown model 'unett'; did you mean 'unet'?"
    assert error.valid == ["mamba", "unet"]


def test_what_a_file_puts_into_a_message_stays_one_line_that_steers_no_terminal() -> None:
    line = str(errors.DataError("run a\x1b[2J\n\u202eb\x07: damaged; delete it " + "x" * 10_000_000))
    assert line.startswith(r"run a\x1b[2J\n\u202eb\x07: damaged")
    assert line.isprintable()
    assert len(line) <= errors.LONGEST
    assert str(errors.DataError("µV, °C, 你好 and ä stay")) == "µV, °C, 你好 and ä stay"
