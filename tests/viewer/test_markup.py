import dataclasses
import re
from base64 import b64decode
from html.parser import HTMLParser

import numpy as np
import pytest

from medaudit.figures.curves import HOW_TO_READ, NO_CURVE, Colours, Ink
from medaudit.figures.words import words_scale
from medaudit.records import FileFate, FileRecord, Severity, TokenRelevance
from medaudit.viewer import markup, panels, pictures
from medaudit.viewer.theme import DARK_PAPER

CHART = Colours(dict.fromkeys(Ink, "#123456"), "#fff")


class Tree(HTMLParser):
    """Tags that were opened, the text, and whether every tag was closed in its order."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.open, self.words = [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, _attributes):
        self.tags.append(tag)
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture
def image(known):
    made = known.image("S-1", "I-1", 3, known.findings, colour=True, size=(48, 40))
    hostile = dataclasses.replace(
        known.findings[0],
        measurement=dataclasses.replace(known.findings[0].measurement, subject=known.script, against='"><img src=x>'),
        claim=known.script,
        limits=known.script,
        advice=known.script,
    )
    return dataclasses.replace(
        made, findings=(hostile, *made.findings[1:]), measurements=(hostile.measurement, *made.measurements)
    )


def test_everything_from_outside_is_escaped(image, known):
    run = dataclasses.replace(known.run, pipeline_name=known.script, environment={known.script: known.script})
    text = TokenRelevance((known.script,), np.array([1.0], np.float32), (known.script,), (0,))
    scale = words_scale((text,))
    pieces = [
        markup.line(known.script),
        markup.heading(known.script, known.script),
        markup.section(known.script),
        markup.tallies([(1, known.script, "plain")]),
        markup.colour_bar(scale, known.script, DARK_PAPER),
        markup.shaded_words(text, scale, DARK_PAPER),
        markup.score_table(panels.scores(image), 0),
        markup.finding_cards(image.findings),
        markup.measurement_table(image),
        markup.facts(panels.image_facts(image)),
        markup.facts(panels.run_facts(run)),
        markup.file_table([FileRecord(*[known.script] * 2, FileFate.FAILED, *[known.script] * 4)]),
        markup.brand(run),
        markup.study_title(known.script, known.script, 0, 1),
        markup.verdict(image.findings[:1]),
        markup.about_model([known.script, known.script]),
    ]
    for piece in pieces:
        tree = Tree(piece)
        assert not {"script", "img"} & set(tree.tags), piece
        assert "alert(1)" in tree.text


@pytest.mark.parametrize("mark", "!\"#$%&'()*+,-./:;<=>?[\\]^_`{|}~")
def test_markdown_escapes_every_mark(mark):
    assert markup.markdown(f"a{mark}b") == f"a\\{mark}b"


def test_markdown_parts_addresses():
    for text in ("see http://a.invalid", "HTTPS://a.invalid", "www.a.invalid", "a@b.invalid", "a :smile: b"):
        shown = markup.markdown(text).replace("\\", "")
        assert shown != text
        assert shown.replace(markup.WORD_JOINER, "") == text


def test_markdown_keeps_letters_and_one_line():
    assert markup.markdown("Größe\n  9 cm") == "Größe 9 cm"


def test_file_table_never_shows_a_path():
    html = markup.file_table([FileRecord("F-1", "DOE^JANE.dcm", FileFate.FAILED, "why", "S-1", "read", "DecodeError")])
    assert "JANE" not in html
    assert Tree(html).text.endswith("F-1 S-1 could not be audited read DecodeError why")


def test_score_table_marks_the_chosen_prompt_and_the_axis(image):
    html = markup.score_table(panels.scores(image), 2)
    assert html.count('class="ma-chosen"') == 1
    assert 'class="ma-chosen"><td>chest radiograph with an enlarged heart' in html
    places = [float(place) for place in re.findall(r"left: ([0-9.]+)%", html)]
    assert (min(places), max(places), len(places)) == (0.0, 100.0, 7)
    assert "neither a probability nor an accuracy" in html


def test_one_prompt_stands_in_the_middle(image):
    assert "left: 50.0%" in markup.score_table(panels.scores(image)[:1], 0)
    assert "No prompt was asked" in markup.score_table((), 0)


def test_score_panel_shows_the_margins_that_exist(image):
    finding, control = panels.scores(image)[0], panels.scores(image)[4]
    assert "+0.027 over its negation +0.180 over the mean control" in Tree(markup.score_panel(finding)).text
    assert "over" not in Tree(markup.score_panel(control)).text


def test_finding_card_says_number_threshold_limits_and_advice(known):
    text = Tree(markup.finding_cards([known.findings[1]])).text
    assert text.startswith("warning The model holds")
    assert "negation, margin: \u22120.007 (threshold 0)" in text
    assert "What this does not show Which of the two sentences is true" in text
    assert "What to do Do not use the similarity" in text


def test_cards_come_gravest_first(known):
    found = re.findall(r"ma-edge-(\w+)", markup.finding_cards(known.findings))
    assert found == [one.value for one in reversed(Severity)]


def test_verdict_without_findings_is_no_clearance():
    assert "no clearance" in markup.verdict(())


def test_measurements_say_which_crossed(image):
    text = Tree(markup.measurement_table(image)).text
    assert text.count("not crossed") == len(image.measurements) - len(image.findings)
    assert "No measurement" in markup.measurement_table(dataclasses.replace(image, measurements=()))


def test_words_carry_their_nats_and_a_readable_ink(image):
    text = image.attributions[0].text
    html = markup.shaded_words(text, words_scale((text,)), DARK_PAPER)
    assert Tree(html).text == "chest 0.05 radiograph 0.05 with 0.05 pleural 0.90 effusion 0.90"
    shade, ink = re.findall(r"background: rgb(\(.*?\)); color: rgb(\(.*?\))", html)[-1]
    assert shade != str(DARK_PAPER)
    assert ink == "(0, 0, 0)"


def test_no_words_are_said_in_words():
    empty = TokenRelevance((), np.zeros(0, np.float32), (), ())
    assert "no relevance of words" in markup.shaded_words(empty, words_scale((empty,)), DARK_PAPER)


def test_colour_bar_says_its_scale(image):
    scale = pictures.map_scale(image, 0, common=True)
    tree = Tree(markup.colour_bar(scale, pictures.scale_sentence(scale, "token", common=True), DARK_PAPER))
    assert tree.text == "0.0 0.4 0.8 1.2 1.6 0 to 1.6 nats per token, common to all prompts of this image"


def test_curves_are_two_pictures_that_say_what_they_show(image):
    shown = markup.curve_charts(image, image.attributions[0], CHART)
    pictures = re.findall(r'<img src="data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)" alt="([^"]+)"/>', shown)
    assert [alternative.partition(":")[0] for _, alternative in pictures] == ["Insertion", "Deletion"]
    for data, alternative in pictures:
        assert b64decode(data).decode().startswith("<svg")
        assert "Area: map 0.2" in alternative
    assert HOW_TO_READ in Tree(shown).text


def test_what_has_no_curve_says_so_where_others_have_one(image):
    unseen, control = image.attributions[2], image.attributions[4]
    assert NO_CURVE in markup.curve_charts(image, unseen, CHART)
    assert markup.curve_charts(image, control, CHART) == ""
    assert markup.curve_charts(dataclasses.replace(image, curves=()), unseen, CHART) == ""
