"""YAML files that a person edits: read without running anything, and refused with file, line and key."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from medaudit.errors import UsageError

# A pipeline is a few hundred lines; anything near this is not one.
MAX_CHARACTERS = 1_000_000

Model = TypeVar("Model", bound=BaseModel)
Location = tuple[Hashable, ...]


def read_yaml(path: Path, text: str, model: type[Model], error: type[UsageError]) -> Model:
    """Validate the YAML ``text`` of ``path`` as ``model``.

    Only plain data is constructed; anchors, tags and duplicate keys are refused.

    Raises
    ------
    UsageError
        As ``error``: every mistake with file, line and key.

    """
    if len(text) > MAX_CHARACTERS:
        msg = f"{path}: {len(text)} characters; at most {MAX_CHARACTERS} are read"
        raise error(msg)
    lines: dict[Location, int] = {}
    try:
        _refuse_anchors(text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        value = _construct(node, (), lines)
    except yaml.MarkedYAMLError as problem:
        line = problem.problem_mark.line + 1 if problem.problem_mark else 1
        msg = f"{path}:{line}: not valid YAML: {problem.problem}"
        raise error(msg) from problem
    except yaml.YAMLError as problem:
        msg = f"{path}: not valid YAML: {problem}"
        raise error(msg) from problem
    try:
        return model.model_validate(value)
    except ValidationError as problem:
        raise error("\n".join(_describe(path, item, lines) for item in problem.errors())) from problem


def _refuse_anchors(text: str) -> None:
    """An alias can make a small file unfold without end, and hides what a reader of the file sees."""
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if getattr(event, "anchor", None):
            line = event.start_mark.line + 1 if event.start_mark else 1
            msg = f"line {line}: anchors and aliases are not read; write the value out"
            raise yaml.YAMLError(msg)


def _construct(node: yaml.Node | None, where: Location, lines: dict[Location, int]) -> Any:  # noqa: ANN401 - plain data
    if node is None:
        return {}
    lines.setdefault(where, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return _construct_mapping(node, where, lines)
    if isinstance(node, yaml.SequenceNode):
        return [_construct(item, (*where, index), lines) for index, item in enumerate(node.value)]
    return _scalar(node)


def _construct_mapping(node: yaml.MappingNode, where: Location, lines: dict[Location, int]) -> dict[Hashable, Any]:
    mapping: dict[Hashable, Any] = {}
    for key_node, value_node in node.value:
        key = _scalar(key_node)
        if key in mapping:
            raise yaml.MarkedYAMLError(problem=f"key {key!r} appears twice", problem_mark=key_node.start_mark)
        lines[(*where, key)] = key_node.start_mark.line + 1
        mapping[key] = _construct(value_node, (*where, key), lines)
    return mapping


def _scalar(node: yaml.Node) -> Any:  # noqa: ANN401 - a plain scalar
    if not isinstance(node, yaml.ScalarNode):
        raise yaml.MarkedYAMLError(problem="a key must be a plain word", problem_mark=node.start_mark)
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node)
    except yaml.constructor.ConstructorError as problem:
        raise yaml.MarkedYAMLError(
            problem=f"{problem.problem or node.tag} (only plain values are read)", problem_mark=node.start_mark
        ) from problem
    finally:
        loader.dispose()


def _describe(path: Path, item: Any, lines: dict[Location, int]) -> str:  # noqa: ANN401 - pydantic's error details
    where: Location = item["loc"]
    known = where
    while known and known not in lines:
        known = known[:-1]
    key = ".".join(str(part) for part in where) or "the file"
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        message = "unknown key; remove it or look at `medaudit pipelines show` for the keys there are"
    elif item["type"] == "missing":
        message = "this key is required"
    return f"{path}:{lines.get(known, 1)}: {key}: {message}"
