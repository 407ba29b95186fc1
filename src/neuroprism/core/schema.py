"""Walking a configuration schema: which keys exist, what they mean, which is nearest.

The schema is the tree of `Section` classes. A section chosen by a ``type`` key
(a union of sections) contributes the keys of all its variants.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from neuroprism.core.errors import suggest
from neuroprism.core.section import Section


@dataclass(frozen=True, slots=True)
class Key:
    """One leaf of the configuration.

    Attributes
    ----------
    path
        Dotted name, e.g. ``training.optimizer.learning_rate``.
    field
        Its declaration: type, default, description.
    section
        The class that declares it.
    """

    path: str
    field: FieldInfo
    section: type[Section]


def variants(annotation: Any) -> list[type[Section]]:
    """Return the sections that a field of this type may hold; none for a leaf."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    origin = get_origin(annotation)
    if origin is Annotated:
        return variants(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [section for part in get_args(annotation) for section in variants(part)]
    return []


def keys(root: type[Section], prefix: str = "") -> Iterator[Key]:
    """Yield every leaf below `root`; a key shared by variants comes once for each."""
    for name, field in root.model_fields.items():
        sections = variants(field.annotation)
        if not sections:
            yield Key(prefix + name, field, root)
        for section in sections:
            yield from keys(section, f"{prefix}{name}.")


def paths(root: type[Section]) -> list[str]:
    """Return the dotted names of all leaves, each once, in order."""
    return list(dict.fromkeys(key.path for key in keys(root)))


def all_paths(root: type[Section]) -> set[str]:
    """Return the dotted names of all leaves and of all sections above them."""
    found: set[str] = set()
    for path in paths(root):
        parts = path.split(".")
        found.update(".".join(parts[:n]) for n in range(1, len(parts) + 1))
    return found


def nearest(root: type[Section], path: str) -> str:
    """Return the end of an error message that names the nearest existing key.

    A key that exists elsewhere under the same last name is proposed first
    (``epochs`` for ``training.epochs``), then the nearest spelling.
    """
    known = all_paths(root)
    parent, _, last = path.rpartition(".")
    elsewhere = [name for name in known if name.rpartition(".")[2] == last]
    if len(elsewhere) == 1:
        return f"; did you mean '{elsewhere[0]}'?"
    siblings = {name for name in known if name.rpartition(".")[0] == parent}
    hint = suggest(path, siblings)
    return hint if hint.startswith("; did") or siblings else suggest(path, known)


def default_choices(root: type[Section], prefix: str = "") -> dict[str, str]:
    """Return the default ``type`` of every section that is chosen by one, by dotted name."""
    found: dict[str, str] = {}
    for name, field in root.model_fields.items():
        sections = variants(field.annotation)
        if len(sections) > 1:
            found[prefix + name] = field.get_default(call_default_factory=True).type
        elif sections:
            found |= default_choices(sections[0], f"{prefix}{name}.")
    return found
