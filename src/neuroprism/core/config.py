"""Loading a configuration: flag before environment before file before default.

```
defaults  <  YAML file  <  NEUROPRISM__SECTION__KEY=VALUE  <  --set section.key=VALUE
```

Values from the environment and from flags are read as YAML, so ``3`` is a
number, ``null`` is nothing and ``[1, 2]`` is a list. An unknown key or a bad
value raises `ConfigError` with one line that names the key, where it was set
and what is allowed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from neuroprism.core import yaml_text
from neuroprism.core.errors import ConfigError, suggest
from neuroprism.core.schema import all_paths, default_choices, nearest
from neuroprism.core.section import Section

ENVIRONMENT_PREFIX = "NEUROPRISM__"

ConfigT = TypeVar("ConfigT", bound=Section)


class _Layers:
    """Nested values with the source of each, later layers winning."""

    def __init__(self, root: type[Section]) -> None:
        self.root = root
        self.known = all_paths(root)
        self.choices = default_choices(root)
        self.values: dict[str, Any] = {}
        self.sources: dict[str, str] = {}
        for path, chosen in self.choices.items():
            self.add(f"{path}.type", chosen, "default")

    def add(self, path: str, value: Any, source: str) -> None:
        """Set one key; a mapping sets every key below it."""
        if path not in self.known:
            raise ConfigError(f"{source}: unknown key '{path}'{nearest(self.root, path)}")
        if isinstance(value, dict) and self._is_section(path):
            for key, item in _type_first(value):
                self.add(f"{path}.{key}", item, source)
            return
        if value is None and self._is_section(path):
            return
        *parents, name = path.split(".")
        node = self.values
        for parent in parents:
            node = node.setdefault(parent, {})
        if name == "type" and ".".join(parents) in self.choices and node.get("type", value) != value:
            # Another variant was chosen: the keys of the earlier one do not belong to it.
            node.clear()
        node[name] = value
        self.sources[path] = source

    def _is_section(self, path: str) -> bool:
        return any(name.startswith(path + ".") for name in self.known)

    def source(self, path: str) -> str:
        """Return where `path`, or the nearest section around it, was set."""
        while path:
            if path in self.sources:
                return self.sources[path]
            path = path.rpartition(".")[0]
        return "configuration"


def _type_first(mapping: dict[Any, Any]) -> list[tuple[Any, Any]]:
    return sorted(mapping.items(), key=lambda item: item[0] != "type")


def load(
    root: type[ConfigT],
    *,
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    overrides: Iterable[tuple[str, Any, str]] = (),
) -> ConfigT:
    """Load and validate a configuration.

    Parameters
    ----------
    root
        Class of the whole configuration.
    file
        YAML file; absent means defaults only.
    environment
        Variables; those that start with ``NEUROPRISM__`` are read.
    overrides
        ``(dotted key, value, source)``, e.g. ``("training.epochs", 3, "--epochs")``.

    Raises
    ------
    ConfigError
        If the file cannot be read, a key is unknown, or a value is refused.
    """
    layers = _Layers(root)
    if file is not None:
        for key, value in _type_first(_read(file)):
            layers.add(str(key), value, str(file))
    for name, text in sorted((environment or {}).items()):
        if name.startswith(ENVIRONMENT_PREFIX):
            layers.add(_path_of(root, name), yaml_text.parse(text, source=name), name)
    for path, value, source in overrides:
        layers.add(path, value, source)
    try:
        return root.model_validate(layers.values)
    except ValidationError as error:
        raise ConfigError(_explain(layers, error)) from None


def parse_override(assignment: str) -> tuple[str, Any, str]:
    """Split ``KEY=VALUE`` as given to ``--set``; the value is read as YAML."""
    path, equals, text = assignment.partition("=")
    if not equals or not path.strip():
        raise ConfigError(f"--set {assignment}: expected KEY=VALUE, e.g. training.epochs=3")
    return path.strip(), yaml_text.parse(text, source=f"--set {path}"), "--set"


def to_dict(config: Section) -> dict[str, Any]:
    """Return the resolved configuration as plain values that YAML and JSON can hold."""
    return config.model_dump(mode="json")


def to_yaml(config: Section) -> str:
    """Return the resolved configuration as YAML that `load` reads again."""
    return yaml_text.dump(to_dict(config))


def config_hash(config: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a resolved configuration, independent of key order."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


def _read(file: Path) -> dict[Any, Any]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        raise ConfigError(f"cannot read configuration {file}: {reason}") from None
    content = yaml_text.parse(text, source=str(file))
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{file}: expected keys and values, found {type(content).__name__}")
    return content


def _path_of(root: type[Section], variable: str) -> str:
    wanted = variable.removeprefix(ENVIRONMENT_PREFIX).replace("__", ".")
    by_lower = {path.lower(): path for path in all_paths(root)}
    return by_lower.get(wanted.lower(), wanted.lower())


def _explain(layers: _Layers, error: ValidationError) -> str:
    problems = error.errors(include_url=False)
    first = problems[0]
    path = _config_path(layers, first)
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    source = layers.source(path)
    if first["type"] == "extra_forbidden":
        return f"{source}: unknown key '{path}'{_not_of_variant(layers, path)}{more}"
    if first["type"] == "union_tag_invalid":
        context = first["ctx"]
        allowed = [name.strip("' ") for name in context["expected_tags"].split(",")]
        source = layers.source(f"{path}.type")
        return f"{source}: unknown {path}.type '{context['tag']}'{_choices(context['tag'], allowed)}{more}"
    reason = first["msg"].removeprefix("Value error, ")
    reason = reason[:1].lower() + reason[1:]
    subject = f"{path}: " if path else ""
    return f"{source}: {subject}{reason}{_shown(first)}{more}"


def _choices(given: str, allowed: list[str]) -> str:
    hint = suggest(given, allowed)
    return hint if "valid:" in hint else f"{hint} valid: {', '.join(allowed)}"


def _shown(problem: ErrorDetails) -> str:
    """Return what was given, unless the message is our own and already says it."""
    given = problem["input"]
    if problem["type"] == "value_error" or isinstance(given, dict):
        return ""
    near = ""
    if problem["type"] == "literal_error" and isinstance(given, str):
        allowed = problem["ctx"]["expected"].replace(" or ", ", ").split(", ")
        hint = suggest(given, [name.strip("'") for name in allowed])
        near = hint if hint.startswith("; did") else ""
    return f", not {given!r}{near}"


def _not_of_variant(layers: _Layers, path: str) -> str:
    if path not in layers.known:
        return nearest(layers.root, path)
    node: Any = layers.values
    for part in path.split(".")[:-1]:
        node = node[part]
    return f": type '{node.get('type', '(default)')}' does not read it"


def _config_path(layers: _Layers, problem: ErrorDetails) -> str:
    """Return the dotted key of a problem; pydantic also names the variant of a union."""
    parts: list[str] = []
    for part in problem["loc"]:
        candidate = ".".join([*parts, str(part)])
        unknown_last = problem["type"] == "extra_forbidden" and problem["loc"][-1] == part
        if candidate in layers.known or unknown_last:
            parts.append(str(part))
    return ".".join(parts)
