"""Flags and lists as scripts of the field write them."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
import typer
from typer.exceptions import TyperException

from neuroprism.cli.spelled_values import SpelledValues
from neuroprism.core.errors import ConfigError


@pytest.fixture
def parse() -> Any:
    app = typer.Typer(add_completion=False)
    seen: dict[str, Any] = {}

    @app.command(cls=SpelledValues)
    def command(
        epochs: Annotated[int, typer.Option()] = 1,
        seeds: Annotated[list[int] | None, typer.Option()] = None,
        *,
        frozen: Annotated[bool | None, typer.Option("--frozen/--no-frozen")] = None,
        quiet: Annotated[bool, typer.Option("--quiet")] = False,
    ) -> None:
        seen.update(epochs=epochs, seeds=seeds, frozen=frozen, quiet=quiet)

    def run(*words: str) -> dict[str, Any]:
        seen.clear()
        typer.main.get_command(app).main(list(words), "command", standalone_mode=False)
        return dict(seen)

    return run


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ((), None),
        (("--frozen",), True),
        (("--frozen", "true"), True),
        (("--frozen", "True"), True),
        (("--frozen", "1"), True),
        (("--frozen", "false"), False),
        (("--frozen", "False"), False),
        (("--frozen=False",), False),
        (("--frozen", "no"), False),
        (("--no-frozen",), False),
    ],
)
def test_a_flag_means_what_it_says(parse: Any, words: tuple[str, ...], meaning: bool | None) -> None:
    assert parse(*words)["frozen"] is meaning


@pytest.mark.parametrize("word", ["maybe", "2", "none"])
def test_any_other_word_after_a_flag_is_refused(parse: Any, word: str) -> None:
    with pytest.raises(ConfigError, match=f"--frozen {word}: expected true or false"):
        parse("--frozen", word)


def test_several_words_after_an_option_that_repeats(parse: Any) -> None:
    assert parse("--seeds", "0", "1", "2", "--epochs", "5")["seeds"] == [0, 1, 2]
    assert parse("--seeds", "0", "--seeds", "4")["seeds"] == [0, 4]
    assert parse("--seeds", "7")["epochs"] == 1


def test_other_options_are_left_alone(parse: Any) -> None:
    assert parse("--epochs", "3", "--frozen", "false", "--quiet") == {
        "epochs": 3,
        "seeds": None,
        "frozen": False,
        "quiet": True,
    }
    assert parse("--epochs=4", "--quiet")["epochs"] == 4


def test_a_flag_without_an_opposite_takes_no_value(parse: Any) -> None:
    with pytest.raises(TyperException):
        parse("--quiet", "false")


def test_an_option_that_repeats_needs_a_value(parse: Any) -> None:
    with pytest.raises(TyperException):
        parse("--seeds")
