"""A command that takes `--frozen false` and `--seeds 0 1 2`, as scripts of the field write them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from typer.core import TyperCommand, TyperOption

from neuroprism.core.errors import ConfigError

_TRUE = {"true", "yes", "on", "1"}
_FALSE = {"false", "no", "off", "0"}


class SpelledValues(TyperCommand):
    """A command without positional arguments after its options.

    A flag may be followed by its value (`--frozen false`, `--frozen=False`); any
    other word after it is refused, never taken as true. An option that may be
    given several times takes several words (`--seeds 0 1 2`).
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Rewrite the words into the plain form and parse them."""
        options = {name: p for p in self.params if isinstance(p, TyperOption) for name in p.opts}
        return super().parse_args(ctx, list(_plain(args, options)))


def _plain(args: list[str], options: dict[str, TyperOption]) -> Iterator[str]:
    position = 0
    while position < len(args):
        word = args[position]
        position += 1
        name, equals, value = word.partition("=")
        option = options.get(name)
        if option is None or not (option.is_flag or option.multiple):
            yield word
            continue
        following = [value] if equals else _words_after(args, position)
        if option.is_flag:
            # A flag without an opposite has no value to spell.
            taken = following[:1] if option.secondary_opts else []
            yield _flag(option, name, taken)
            yield from following[len(taken) :] if equals else ()
        else:
            taken = following
            for item in taken:
                yield from (name, item)
            if not taken:
                yield name
        position += 0 if equals else len(taken)


def _words_after(args: list[str], position: int) -> list[str]:
    words = []
    for word in args[position:]:
        if word.startswith("--"):
            break
        words.append(word)
    return words


def _flag(option: TyperOption, name: str, value: list[str]) -> str:
    """Return the flag, or its opposite, for a spelled value."""
    spelled = value[0].lower() if value else "true"
    if spelled in _TRUE:
        return name
    if spelled in _FALSE:
        return option.secondary_opts[0]
    raise ConfigError(f"{name} {value[0]}: expected true or false")
