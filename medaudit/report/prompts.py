"""One block a finding prompt or report sentence: its map, its words, and the numbers behind them."""

import numpy as np
from reportlab.platypus import Flowable, Spacer, Table

from medaudit.figures.wording import NOTHING, report_mark
from medaudit.figures.words import shade_words, tint
from medaudit.records import Attribution, ImageAudit, PromptKind, Quantity, SolverTrace
from medaudit.report.canvas import Bookmark, Tied
from medaudit.report.catalogue import Catalogue
from medaudit.report.contents import Contents, Figures
from medaudit.report.curves import ROOM, curves
from medaudit.report.pictures import ColourBar
from medaudit.report.scores import explained, first_shown
from medaudit.report.sentence import shaded_sentence
from medaudit.report.style import Style
from medaudit.report.summary import cut, map_and_bar, map_caption, notes, pictures, scores
from medaudit.report.tables import columns, rows_table

# Points of a block beside its picture where the sentence takes one line and the caption three, and of
# the section's heading: with them two blocks share a page, or one with curves has it alone.
_BLOCK_REST, _SECTION_HEAD = 132.0, 29.0
_OUTLINE_TITLE, _HEADING = 60, 90  # characters


def prompts(contents: Contents) -> list[Flowable]:
    """The flowables of every block, image by image."""
    story: list[Flowable] = contents.section(contents.style.words.say("blocks"), "prompts")
    if not contents.audit.images:
        return [*story, contents.style.text(contents.style.words.say("study.no_image"))]
    several = len(contents.audit.images) > 1
    for image, figures in zip(contents.audit.images, contents.figures, strict=True):
        key = f"prompts-{image.record.image}"
        if several:
            name = contents.image_name(image)
            story += [Bookmark(name, key, 1), contents.style.text(name, "block")]
        if contents.lead is None or image is not contents.lead[0]:
            story += _introduction(contents.style, image, figures)
        for index, attribution in enumerate(explained(image)):
            story += _block(contents.style, image, figures, attribution, (f"{key}-{index}", 2 if several else 1))
        if not explained(image):
            story.append(contents.style.text(contents.style.words.say("blocks.none")))
    return story


def _introduction(style: Style, image: ImageAudit, figures: Figures) -> list[Flowable]:
    """What the first page shows of its own image, for an image that is not on it."""
    shown = pictures(style, image, figures, first_shown(image))
    return [shown, *notes(style, image), Spacer(0, 8), *scores(style, image), Spacer(0, 14)]


def _block(
    style: Style, image: ImageAudit, figures: Figures, attribution: Attribution, place: tuple[str, int]
) -> list[Flowable]:
    prompt = attribution.prompt
    key, level = place
    title = cut(f"{prompt.finding}: {prompt.text}" if prompt.finding else prompt.text, _OUTLINE_TITLE)
    words = shade_words(attribution.text, figures.word_scale)
    below = curves(style, image, attribution)
    height = _picture_height(style, walked=bool(image.curves_of(attribution)))
    left = map_and_bar(style, image, figures, attribution, height)
    left.append(style.text(map_caption(style.words, image, attribution, figures), "below"))
    mark = report_mark(prompt) or prompt.finding
    name = style.words.say("blocks.report" if prompt.kind is PromptKind.REPORT else "blocks.finding")
    kind = f"{name} \u00b7 {mark}" if mark else name
    sentence = shaded_sentence(words, figures.word_scale, style.width, style.words.signs)
    sentence.keepWithNext = 1
    return [
        Bookmark(title, key, level, space=16),
        style.text(cut(kind, _HEADING), "block"),
        Tied(0, 3),
        sentence,
        Tied(0, 5),
        *_above(columns(left, _numbers(style, image, figures, attribution), style), below),
    ]


def _above(table: Table, below: list[Flowable]) -> list[Flowable]:
    """A table and what stands below it on the same page."""
    table.keepWithNext = int(bool(below))
    return [table, *below]


def _picture_height(style: Style, *, walked: bool) -> float:
    """Of a block that shares its page with another, or has it alone with its curves."""
    room = style.height - _SECTION_HEAD
    return (room - ROOM if walked else room / 2) - _BLOCK_REST


def _numbers(style: Style, image: ImageAudit, figures: Figures, attribution: Attribution) -> list[Flowable]:
    margins, words = image.margins(attribution), style.words
    rows = (
        (words.say("blocks.cosine"), words.number(attribution.similarity, 3)),
        (words.say("blocks.negated"), words.margin(margins.negated)),
        (words.say("blocks.control"), words.margin(margins.control)),
    )
    similarity = rows_table(style, (words.say("blocks.score"), ""), rows, (style.column - 60, 60), figures=(1,))
    scale = figures.word_scale
    ramp = tint(np.linspace(0, scale.maximum_nats, 256), scale)[None]
    return [
        similarity,
        Spacer(0, 12),
        *_solver(style, attribution),
        Spacer(0, 14),
        ColourBar(ramp, scale, words, style.column),
        style.text(words.say("blocks.words", scale=words.scale(scale, "word")), "caption"),
    ]


def _solver(style: Style, attribution: Attribution) -> list[Flowable]:
    image, text = attribution.image_trace, attribution.text_trace
    highest = (float(attribution.image.values.max(initial=0)), float(attribution.text.by_word().max(initial=0)))
    quantity, words = attribution.image.quantity, style.words
    say = words.say
    nats = quantity is Quantity.NATS
    total = say("solver.capacity") if nats else say("solver.sum", quantity=quantity.value)
    unit = " nats" if nats else ""
    rows = [
        (total, words.number(image.capacity_nats) + unit, words.number(text.capacity_nats) + unit),
        (say("solver.highest"), words.number(highest[0]) + unit, words.number(highest[1]) + unit),
        (say("solver.loss"), _final(words, image), _final(words, text)),
        (say("solver.passes"), str(len(image.loss)), str(len(text.loss))),
    ]
    numbers = rows_table(
        style,
        (say("solver"), say("solver.image"), say("solver.words")),
        rows,
        (style.column - 150, 75, 75),
        figures=(1, 2),
    )
    seed = ((say("method.seed"), str(image.seed)),)  # the run's, so that of both sides
    return [numbers, rows_table(style, None, seed, (style.column - 110, 110), figures=(1,))]


def _final(words: Catalogue, trace: SolverTrace) -> str:
    return words.number(trace.loss[-1]) if trace.loss else NOTHING
