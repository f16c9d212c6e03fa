from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, field_validator

from medaudit.errors import LayoutError, UsageError
from medaudit.yamlfile import MAX_CHARACTERS, MAX_DEPTH, MAX_QUOTED, quoted, read_text, read_yaml


class Lamp(BaseModel):
    model_config = ConfigDict(extra="forbid")

    watts: int = 5
    colour: Literal["red", "green"] = "red"


class House(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    lamps: tuple[Lamp, ...] = ()
    rooms: dict[str, Lamp] = {}
    notes: tuple[str, ...] = ()

    @field_validator("notes")
    @classmethod
    def _short(cls, notes):
        if len(notes) > 2:
            msg = f"expected two notes at the most; got {len(notes)}"
            raise ValueError(msg)
        return notes


@pytest.fixture
def read(tmp_path):
    return lambda text: read_yaml(tmp_path / "house.yaml", text, House, LayoutError)


def test_a_file_is_read(read):
    house = read("name: mine\nlamps:\n  - {watts: 7}\n  - colour: green\nrooms: {hall: {}}\n")
    assert house == House(name="mine", lamps=(Lamp(watts=7), Lamp(colour="green")), rooms={"hall": Lamp()})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: a\nshape: round\n", "2: shape: no such key; expected one of name, lamps, rooms, notes; got 'round'"),
        (
            "name: a\nlamps:\n- watts: 5\n- volts: 9\n",
            "4: lamps.1.volts: no such key; expected one of watts, colour; got 9",
        ),
        (
            "name: a\nrooms:\n  hall: {volts: 9}\n",
            "3: rooms.hall.volts: no such key; expected one of watts, colour; got 9",
        ),
        ("name: a\nlamps: [{colour: blue}]\n", "2: lamps.0.colour: input should be 'red' or 'green'; got 'blue'"),
        ("name: a\nnotes:\n- b\n- c\n- d\n", "2: notes: expected two notes at the most; got 3"),
        ("lamps: []\n", "1: name: this key is required"),
        ("\n# nothing\n", "1: name: this key is required"),
        ("name: a\nrooms:\n  hall: {}\n  hall: {}\n", "4: rooms.hall: appears twice; the first is on line 3"),
        ("\n- name\n", "2: expected keys and values, such as `name: ...`; got ['name']"),
        ("just words\n", "1: expected keys and values, such as `name: ...`; got 'just words'"),
        ("name: a\nlamps: &x []\n", "2: anchors and aliases are not read; write the value out"),
        ("name: a\nlamps:\n- *x\n", "3: anchors and aliases are not read; write the value out"),
        ("name: !!python/name:os.system x\n", "1: tags are not read; write a plain value"),
        ("name: a\nlamps: !!python/object:os.x {}\n", "2: tags are not read; write a plain value"),
        ("name: a\n? [b]\n: c\n", "2: a key must be a plain word"),
        ("name: 2024-13-45\n", "1: name: expected a plain value; got '2024-13-45'"),
        ("name: a\nlamps:\n- {<<: {}}\n", "3: lamps.0: expected a plain value; got '<<'"),
        ("name: [a\n", "2: not valid YAML: expected ',' or ']', but got '<stream end>'"),
        ("name: a\n\tb: c\n", "2: not valid YAML: found character '\\t' that cannot start any token"),
        ("name: a\nb: \x07\n", "2: not valid YAML: the character U+0007 is not allowed"),
        ("name: a\n---\nname: b\n", "2: not valid YAML: but found another document"),
    ],
)
def test_a_mistake_is_named_with_file_line_and_key(read, tmp_path, text, said):
    with pytest.raises(LayoutError) as caught:
        read(text)
    assert str(caught.value) == f"{tmp_path / 'house.yaml'}:{said}"


def test_every_mistake_is_named_in_a_line_of_its_own(read):
    with pytest.raises(LayoutError) as caught:
        read("name: [1]\nshape: round\nlamps: 3\n")
    assert [line.split(":")[1:3] for line in str(caught.value).splitlines()] == [
        ["1", " name"], ["3", " lamps"], ["2", " shape"]
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text", [f"name: [{'a' * 5000}]", f"{'k' * 1000}: 1\nname: a", f"name: {'9' * 5000}", f"- {'w' * 5000}"]
)
def test_long_values_and_keys_are_cut(read, text):
    with pytest.raises(LayoutError) as caught:
        read(text)
    assert "\u2026" in str(caught.value)
    for part in ("a", "k", "9", "w"):
        assert part * MAX_QUOTED not in str(caught.value)


def test_a_value_is_quoted_as_python_writes_it_and_cut():
    assert quoted("short") == "'short'"
    assert quoted("x" * 58) == f"'{'x' * 58}'"
    assert quoted("x" * 59) == f"'{'x' * 58}\u2026"
    assert len(quoted(list(range(1000)))) == MAX_QUOTED


def test_what_is_nested_without_end_is_refused(read):
    with pytest.raises(LayoutError, match=rf":3: nested more than {MAX_DEPTH} deep"):
        read("name: a\nlamps:\n  " + "[" * 20_000)


def test_what_is_no_settings_file_at_all_is_refused_unread(read):
    with pytest.raises(LayoutError, match=f"at most {MAX_CHARACTERS} are read"):
        read("#" * (MAX_CHARACTERS + 1))


def test_text_is_read_as_utf8(tmp_path):
    path = tmp_path / "house.yaml"
    path.write_text("name: Größe\n", encoding="utf-8")
    assert read_text(path, UsageError) == "name: Größe\n"


@pytest.mark.parametrize(("content", "got"), [(b"\xff\xfe\x00", "invalid start byte"), (None, "No such file")])
def test_what_cannot_be_read_is_said_with_the_reason(tmp_path, content, got):
    path = tmp_path / "house.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LayoutError) as caught:
        read_text(path, LayoutError)
    assert str(caught.value).startswith(f"{path}: expected a readable UTF-8 file; got: {got}")
