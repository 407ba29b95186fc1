"""YAML as people write it: safe, YAML-1.2 floats, no duplicate keys, nothing that grows when it is read."""

from __future__ import annotations

import re
from typing import Any

import yaml

from neuroprism.core.errors import ConfigError

# PyYAML follows YAML 1.1, where 2e-4 is text; 1.2 reads it as a number.
_FLOAT = re.compile(
    r"""^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$
    |^[-+]?[0-9]+[eE][-+]?[0-9]+$
    |^[-+]?\.(?:inf|Inf|INF)$
    |^\.(?:nan|NaN|NAN)$""",
    re.VERBOSE,
)


LARGEST = 1 << 20
"""Characters of a document; configurations have some thousands."""

MOST_VALUES = 100_000
"""Values of a document with every alias written out."""


class _Loader(yaml.SafeLoader):
    """Safe loader that reads YAML-1.2 floats and refuses duplicate keys."""


def _unique_mapping(loader: _Loader, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, str | int | float | bool):
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key '{key}' stands twice", key_node.start_mark
                )
            seen.add(key)
    return yaml.SafeLoader.construct_mapping(loader, node, deep)


# Own copies, so that the resolvers of PyYAML's SafeLoader stay as they are.
_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in pairs if tag != "tag:yaml.org,2002:float"]
    for letter, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))
_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)


def _n_values(node: yaml.Node, known: dict[int, int]) -> int:
    """Return the number of values below a node; aliases are written out, but counted once.

    Raises
    ------
    ValueError
        If the node holds itself, or too many values.
    """
    if id(node) in known:
        if not known[id(node)]:
            raise ValueError("a value holds itself")
        return known[id(node)]
    known[id(node)] = 0
    n = 1
    for item in node.value if isinstance(node, yaml.CollectionNode) else ():
        for child in item if isinstance(item, tuple) else (item,):
            n += _n_values(child, known)
    if n > MOST_VALUES:
        raise ValueError(f"more than {MOST_VALUES:,} values")
    known[id(node)] = n
    return n


def _read(text: str) -> Any:
    if len(text) > LARGEST:
        raise ValueError(f"longer than {LARGEST >> 20} MiB")
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _n_values(node, {})
        return loader.construct_document(node)
    finally:
        loader.dispose()


def parse(text: str, *, source: str) -> Any:
    """Parse YAML text.

    Parameters
    ----------
    text
        YAML document.
    source
        Where it comes from, for the error message.

    Raises
    ------
    ConfigError
        If `text` is not YAML, holds a tag, has a key twice, or multiplies by aliases.
    """
    try:
        return _read(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}" if mark and "\n" in text else ""
        raise ConfigError(f"{source}{where}: not valid YAML: {error.problem}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ConfigError(f"{source}: not valid YAML: {str(error).splitlines()[0]}") from None


def dump(value: Any) -> str:
    """Return `value` as YAML in the order of its keys."""
    return yaml.safe_dump(value, sort_keys=False, default_flow_style=None, width=100, allow_unicode=True)
