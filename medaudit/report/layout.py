"""A report layout: one small YAML file that says how a study report looks."""

from collections.abc import Hashable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from medaudit.errors import LayoutError
from medaudit.resources import layouts_folder, shipped

_Place = tuple[int | str, ...]

_DEPTH = 2  # a key, and an item of its list; also what ends a file that contains itself by an alias


class Section(StrEnum):
    """A part of a study report."""

    SUMMARY = "summary"
    PROMPTS = "prompts"
    MEASUREMENTS = "measurements"
    METHOD = "method"
    LIMITS = "limits"
    PROVENANCE = "provenance"


class Layout(BaseModel):
    """The keys of a layout file; ``reports/layouts/study.yaml`` says what each means."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    page_size: Literal["A4", "Letter"] = "A4"
    institution: Annotated[str, Field(max_length=80)] = ""
    language: Literal["en"] = "en"
    accent: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")] = "#0f5c74"
    map_opacity: Annotated[float, Field(ge=0.1, le=1)] = 0.6
    sections: Annotated[tuple[Section, ...], Field(min_length=1)] = tuple(Section)

    @field_validator("sections")
    @classmethod
    def _each_once(cls, sections: tuple[Section, ...]) -> tuple[Section, ...]:
        if len(set(sections)) != len(sections):
            msg = "each section may stand once"
            raise ValueError(msg)
        return sections


def find_layout(name: str) -> Layout:
    """Load a layout by the name of a shipped one, or by the path of a ``.yaml`` file.

    Raises
    ------
    LayoutError
        There is no such layout, or :func:`load_layout` refuses it.

    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else layouts_folder() / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(shipped(layouts_folder()))
        msg = f"report layout {name!r}: no such layout; expected one of {known}, or the path of a .yaml file"
        raise LayoutError(msg)
    return load_layout(path)


def load_layout(path: Path) -> Layout:
    """Read a layout file.

    Raises
    ------
    LayoutError
        The file cannot be read, is no YAML mapping, or a key or value is wrong; the message says
        file, line and key, and what is expected there.

    """
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        lines: dict[_Place, int] = {(): 1}
        values = {} if root is None else _values(root, (), lines, path.name)
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path.name}: expected a readable UTF-8 file; got {type(error).__name__}"
        raise LayoutError(msg) from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        msg = f"{path.name}, line {line}: not YAML: {error.problem}"
        raise LayoutError(msg) from error
    except yaml.YAMLError as error:
        msg = f"{path.name}: not YAML: a character that YAML does not allow"
        raise LayoutError(msg) from error
    if not isinstance(values, dict):
        msg = f"{path.name}, line 1: expected keys and values, such as `page_size: A4`"
        raise LayoutError(msg)
    try:
        return Layout.model_validate(values)
    except ValidationError as error:
        raise LayoutError(_explained(error, lines, path.name)) from error


def _values(node: yaml.Node, place: _Place, lines: dict[_Place, int], file: str) -> object:
    """The plain value of a node; notes the line of every place in ``lines`` and refuses a repeated key."""
    if len(place) > _DEPTH:
        msg = f"{file}, line {lines[place]}, {_dotted(place)}: expected a plain value; got a nested one"
        raise LayoutError(msg)
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            lines[(*place, index)] = item.start_mark.line + 1
        return [_values(item, (*place, index), lines, file) for index, item in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        mapping: dict[Hashable, object] = {}
        for key_node, value_node in node.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            if key in mapping:
                msg = f"{file}, line {line}, {key}: the key stands twice; the first is on line {lines[(*place, key)]}"
                raise LayoutError(msg)
            lines[(*place, key)] = line
            mapping[key] = _values(value_node, (*place, key), lines, file)
        return mapping
    return _scalar(node)


def _scalar(node: yaml.Node) -> object:
    constructor = yaml.constructor.SafeConstructor()
    return constructor.construct_object(node)


def _explained(error: ValidationError, lines: dict[_Place, int], file: str) -> str:
    """Every complaint with its place, one a line."""
    return "\n".join(
        f"{file}, line {_line(lines, complaint['loc'])}, {_dotted(complaint['loc'])}: "
        f"{_rule(complaint['type'], complaint['msg'])}; got {complaint['input']!r}"
        for complaint in error.errors()
    )


def _line(lines: dict[_Place, int], place: _Place) -> int:
    while place not in lines:
        place = place[:-1]
    return lines[place]


def _dotted(place: _Place) -> str:
    return ".".join(str(part + 1) if isinstance(part, int) else part for part in place)


def _rule(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return f"no such key; expected one of {', '.join(Layout.model_fields)}"
    return message[:1].lower() + message[1:]
