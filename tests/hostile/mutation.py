"""Damage that a file may have: changed, cut, inserted and swapped bytes and fields."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

NUMBERS = (b"0", b"-1", b"1e999", b"nan", b"99999999999999999999", b"2147483647", b"9" * 5000, b"", b"x")
BYTES = (b"\x00", b"\xff" * 8, b"\x7f\xff\xff\xff", b"\n", b'"', b"[" * 5000, b"\xc3", b"../", b"\x1b[2J")
_FIELD = re.compile(rb"[^\s,;:\t\"{}\[\]=]+")


def _near_the_beginning(draw: random.Random, length: int) -> int:
    """Return a place; most of the meaning of a file stands at its beginning or its end."""
    reach = min(length, draw.choice((64, 600, 4000, length)))
    place = draw.randrange(reach) if reach else 0
    return length - 1 - place if draw.random() < 0.2 and length else place


def flip(draw: random.Random, content: bytearray) -> None:
    """Change some bits."""
    for _ in range(draw.choice((1, 1, 2, 8))):
        if content:
            content[_near_the_beginning(draw, len(content))] ^= 1 << draw.randrange(8)


def overwrite(draw: random.Random, content: bytearray) -> None:
    """Put extreme bytes over others."""
    piece = draw.choice(BYTES)
    place = _near_the_beginning(draw, len(content))
    content[place : place + len(piece)] = piece


def cut(draw: random.Random, content: bytearray) -> None:
    """Cut the end off."""
    del content[draw.randrange(len(content) + 1) :]


def drop(draw: random.Random, content: bytearray) -> None:
    """Take a stretch out."""
    place = _near_the_beginning(draw, len(content))
    del content[place : place + draw.choice((1, 2, 8, 100))]


def insert(draw: random.Random, content: bytearray) -> None:
    """Put something in between."""
    place = _near_the_beginning(draw, len(content))
    content[place:place] = draw.choice((*BYTES, *NUMBERS, draw.randbytes(9)))


def double(draw: random.Random, content: bytearray) -> None:
    """Repeat a stretch."""
    place = _near_the_beginning(draw, len(content))
    content[place:place] = content[place : place + draw.choice((1, 8, 100, 2000))]


def change_field(draw: random.Random, content: bytearray) -> None:
    """Replace a word or a number by an extreme one."""
    found = list(_FIELD.finditer(bytes(content[:20_000])))
    if found:
        chosen = draw.choice(found)
        content[chosen.start() : chosen.end()] = draw.choice((*NUMBERS, b"null", b"[]", b"{}", b"true"))


def swap_fields(draw: random.Random, content: bytearray) -> None:
    """Swap two words or numbers."""
    found = list(_FIELD.finditer(bytes(content[:20_000])))
    if len(found) > 1:
        first, second = sorted(draw.sample(found, 2), key=lambda match: match.start())
        content[second.start() : second.end()] = first[0]
        content[first.start() : first.end()] = second[0]


def swap_lines(draw: random.Random, content: bytearray) -> None:
    """Swap two lines."""
    lines = bytes(content).split(b"\n")
    first, second = draw.randrange(len(lines)), draw.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]
    content[:] = b"\n".join(lines)


KINDS: tuple[Callable[[random.Random, bytearray], None], ...] = (
    flip,
    overwrite,
    cut,
    drop,
    insert,
    double,
    change_field,
    swap_fields,
    swap_lines,
)


def mutated(content: bytes, seed: int) -> bytes:
    """Return damaged content, the same for a seed."""
    draw = random.Random(seed)
    damaged = bytearray(content)
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        draw.choice(KINDS)(draw, damaged)
    return bytes(damaged)
