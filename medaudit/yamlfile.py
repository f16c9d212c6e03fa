"""YAML files that a person edits: read without running anything, and refused with file, line and key."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from medaudit.errors import UsageError

# A pipeline is a few hundred lines; anything near this is not one.
MAX_CHARACTERS = 1_000_000

# A pipeline nests about five deep. Nodes are built by recursion, which a file must not exhaust.
MAX_DEPTH = 20

MAX_QUOTED = 60
"""Characters of a value or a key that a message repeats."""

Model = TypeVar("Model", bound=BaseModel)
Location = tuple[Hashable, ...]
Lines = dict[Location, int]


class _MistakeError(Exception):
    """What is wrong on which line, at which key where that is known."""

    def __init__(self, line: int, message: str, where: Location = ()) -> None:
        super().__init__(f"{line}: {_dotted(where)}: {message}" if where else f"{line}: {message}")


def read_text(path: Path, error: type[UsageError]) -> str:
    """Read a whole file as UTF-8.

    Raises
    ------
    UsageError
        As ``error``: there is no such file, it cannot be read, or it is no UTF-8 text.

    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        got = problem.strerror if isinstance(problem, OSError) else problem.reason
        msg = f"{path}: expected a readable UTF-8 file; got: {got}"
        raise error(msg) from problem


def read_yaml(path: Path, text: str, model: type[Model], error: type[UsageError]) -> Model:
    """Validate the YAML ``text`` of ``path`` as ``model``.

    Only plain data is constructed; anchors, tags and duplicate keys are refused. Validators find the ``folder`` of the
    file in their context, for what a file names beside itself.

    Raises
    ------
    UsageError
        As ``error``: every mistake as ``file:line: key: message``. What is no YAML has no key.

    """
    if len(text) > MAX_CHARACTERS:
        msg = f"{path}: {len(text)} characters; at most {MAX_CHARACTERS} are read"
        raise error(msg)
    lines: Lines = {}
    try:
        value = _keys_and_values(text, model, lines)
    except _MistakeError as mistake:
        msg = f"{path}:{mistake}"
        raise error(msg) from mistake
    try:
        return model.model_validate(value, context={"folder": path.parent})
    except ValidationError as problem:
        raise error("\n".join(f"{path}:{_described(item, model, lines)}" for item in problem.errors())) from problem


def quoted(value: object) -> str:
    """A value as a message repeats it: as Python writes it, cut to :data:`MAX_QUOTED` characters."""
    return _cut(repr(value))


def _cut(text: str) -> str:
    return text if len(text) <= MAX_QUOTED else f"{text[: MAX_QUOTED - 1]}\u2026"


def _dotted(where: Location) -> str:
    return _cut(".".join(map(str, where)))


def _keys_and_values(text: str, model: type[BaseModel], lines: Lines) -> dict[Hashable, Any]:
    value = _plain(text, lines)
    if not isinstance(value, dict):
        example = next(iter(model.model_fields))
        raise _MistakeError(lines[()], f"expected keys and values, such as `{example}: ...`; got {quoted(value)}")
    return value


def _plain(text: str, lines: Lines) -> Any:  # noqa: ANN401 - plain data
    """The data that a text holds; notes the line of every key and item in ``lines``."""
    try:
        _refuse_what_is_not_plain(text)
        return _construct(yaml.compose(text, Loader=yaml.SafeLoader), (), lines)
    except yaml.MarkedYAMLError as problem:
        line = problem.problem_mark.line + 1 if problem.problem_mark else 1
        raise _MistakeError(line, f"not valid YAML: {problem.problem or problem.context}") from problem
    except yaml.reader.ReaderError as problem:
        line = text.count("\n", 0, problem.position) + 1
        character = f"U+{ord(text[problem.position]):04X}"
        raise _MistakeError(line, f"not valid YAML: the character {character} is not allowed") from problem


def _refuse_what_is_not_plain(text: str) -> None:
    """An alias can make a small file unfold without end, and hides what a reader of the file sees; so can a tag."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if getattr(event, "anchor", None):
            raise _MistakeError(line, "anchors and aliases are not read; write the value out")
        if getattr(event, "tag", None):
            raise _MistakeError(line, "tags are not read; write a plain value")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise _MistakeError(line, f"nested more than {MAX_DEPTH} deep")


def _construct(node: yaml.Node | None, where: Location, lines: Lines) -> Any:  # noqa: ANN401 - plain data
    lines.setdefault(where, node.start_mark.line + 1 if node else 1)
    if node is None:
        return {}
    if isinstance(node, yaml.MappingNode):
        return _construct_mapping(node, where, lines)
    if isinstance(node, yaml.SequenceNode):
        return [_construct(item, (*where, index), lines) for index, item in enumerate(node.value)]
    return _scalar(node, where)


def _construct_mapping(node: yaml.MappingNode, where: Location, lines: Lines) -> dict[Hashable, Any]:
    mapping: dict[Hashable, Any] = {}
    for key_node, value_node in node.value:
        key = _scalar(key_node, where)
        place, line = (*where, key), key_node.start_mark.line + 1
        if key in mapping:
            raise _MistakeError(line, f"appears twice; the first is on line {lines[place]}", place)
        lines[place] = line
        mapping[key] = _construct(value_node, place, lines)
    return mapping


def _scalar(node: yaml.Node, where: Location) -> Any:  # noqa: ANN401 - a plain scalar
    line = node.start_mark.line + 1
    if not isinstance(node, yaml.ScalarNode):
        raise _MistakeError(line, "a key must be a plain word", where)
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node)
    except (yaml.constructor.ConstructorError, ValueError) as problem:
        # Such as a date of month 13, a number of 5,000 digits, or a lone "<<".
        raise _MistakeError(line, f"expected a plain value; got {quoted(node.value)}", where) from problem
    finally:
        loader.dispose()


def _described(item: Any, model: type[BaseModel], lines: Lines) -> str:  # noqa: ANN401 - pydantic's error details
    where: Location = item["loc"]
    known = where
    while known not in lines:
        known = known[:-1]
    return f"{lines[known]}: {_dotted(where) or 'the file'}: {_rule(item, model)}"


def _rule(item: Any, model: type[BaseModel]) -> str:  # noqa: ANN401 - pydantic's error details
    """What is expected, in pydantic's words or better ones, and what was found."""
    kind, message = item["type"], str(item["msg"])
    if kind == "missing":
        return "this key is required"
    if kind == "value_error":  # our own validators say what they got
        return message.removeprefix("Value error, ")
    if kind == "extra_forbidden":
        known = ", ".join(_keys_at(model, item["loc"][:-1]))
        message = f"no such key; expected one of {known}" if known else "no such key"
    return f"{message[:1].lower()}{message[1:]}; got {quoted(item['input'])}"


def _keys_at(model: type[BaseModel], where: Location) -> tuple[str, ...]:
    """The keys that may stand at a place of a file; none where it is no mapping with fixed keys."""
    kind: Any = model
    for part in where:
        fields = getattr(kind, "model_fields", None)
        if fields:
            kind = fields[part].annotation
        else:  # the values of a dict or the items of a tuple
            kind = next((argument for argument in reversed(get_args(kind)) if argument is not Ellipsis), None)
    return tuple(getattr(kind, "model_fields", ()))
