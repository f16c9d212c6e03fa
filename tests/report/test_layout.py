import pytest

from medaudit.errors import LayoutError
from medaudit.report.layout import Layout, Section, find_layout, load_layout
from medaudit.resources import layouts_folder, shipped


def _load(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return load_layout(path)


@pytest.mark.parametrize("name", shipped(layouts_folder()))
def test_every_shipped_layout_loads(name):
    assert find_layout(name).sections


def test_the_shipped_layout_states_the_defaults():
    assert find_layout("study") == Layout()


def test_an_empty_file_is_the_default(tmp_path):
    assert _load(tmp_path, "# nothing\n") == Layout()


def test_keys_are_read(tmp_path):
    layout = _load(tmp_path, "page_size: Letter\nsections: [limits, summary]\nmap_opacity: 0.3\n")
    assert layout.page_size == "Letter"
    assert layout.sections == (Section.LIMITS, Section.SUMMARY)
    assert layout.map_opacity == 0.3


@pytest.mark.parametrize(
    ("text", "place", "rule"),
    [
        ("page_size: A4\ncolour: red\n", "2: colour", "no such key; expected one of page_size, institution"),
        ("\n\npage_size: A5\n", "3: page_size", "'A4' or 'Letter'; got 'A5'"),
        ("accent: teal\n", "1: accent", "pattern"),
        ("page_size: A4\nmap_opacity: 2\n", "2: map_opacity", "less than or equal to 1; got 2"),
        ("sections:\n  - summary\n  - epilogue\n", "3: sections.1", "'provenance'; got 'epilogue'"),
        ("sections:\n  - a: {b: c}\n", "2: sections.0", "got {'a': {'b': 'c'}}"),
        ("language: en\nsections: [limits, limits]\n", "2: sections", "each section may stand once; got ['limits'"),
        ("sections: []\n", "1: sections", "at least 1 item"),
        ("page_size: A4\nlanguage: en\npage_size: A4\n", "3: page_size", "the first is on line 1"),
        ("page_size: A4\nlanguage: [en\n", "3", "not valid YAML"),
        ("institution: !!python/name:os.system x\n", "1", "tags are not read"),
        ("- summary\n", "1", "expected keys and values, such as `page_size: ...`"),
        ("sections:\n  - a: &x\n      b: *x\n", "2", "anchors and aliases"),
    ],
)
def test_a_mistake_is_named_with_file_line_and_key(tmp_path, text, place, rule):
    with pytest.raises(LayoutError) as caught:
        _load(tmp_path, text)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'mine.yaml'}:{place}: ")
    assert rule in message


def test_several_mistakes_are_named_together(tmp_path):
    with pytest.raises(LayoutError) as caught:
        _load(tmp_path, "page_size: A5\naccent: 5\n")
    assert [line.split(":")[1:3] for line in str(caught.value).splitlines()] == [["1", " page_size"], ["2", " accent"]]


def test_a_file_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(LayoutError, match="UTF-8"):
        load_layout(path)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(LayoutError, match=r"no such layout; expected one of .*study"):
        find_layout("no-such-layout")


def test_a_path_is_a_layout_too(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("institution: City Hospital\n", encoding="utf-8")
    assert find_layout(str(path)).institution == "City Hospital"
