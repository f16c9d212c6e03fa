"""One block a finding prompt or report sentence: its map, its words, and the numbers behind them."""

import numpy as np
from reportlab.platypus import Flowable, Spacer

from medaudit.figures.wording import NOTHING, margin, number
from medaudit.figures.words import shade_words, tint
from medaudit.records import Attribution, ImageAudit, PromptKind, SolverTrace
from medaudit.report.canvas import Bookmark
from medaudit.report.contents import Contents, Figures, Tied
from medaudit.report.pictures import ColourBar
from medaudit.report.scores import explained, first_shown
from medaudit.report.sentence import shaded_sentence
from medaudit.report.style import Style
from medaudit.report.summary import cut, map_and_bar, map_caption, notes, pictures, scores
from medaudit.report.tables import columns, rows_table

# Points of a block beside its picture where the sentence takes one line and the caption three, and of
# the section's heading: with them two blocks share a page.
_BLOCK_REST, _SECTION_HEAD = 132.0, 29.0
_OUTLINE_TITLE, _HEADING = 60, 90  # characters


def prompts(contents: Contents) -> list[Flowable]:
    """The flowables of every block, image by image."""
    story: list[Flowable] = contents.section("Prompt by prompt", "prompts")
    if not contents.audit.images:
        return [*story, contents.style.text("This study has no audited image.")]
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
            story.append(contents.style.text("No finding prompt and no report sentence was asked of this image."))
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
    left = map_and_bar(style, image, figures, attribution, _picture_height(style))
    left.append(style.text(map_caption(image, attribution, figures), "below"))
    kind = "Report sentence" if prompt.kind is PromptKind.REPORT else f"Finding prompt \u00b7 {prompt.finding}"
    sentence = shaded_sentence(words, figures.word_scale, style.width)
    sentence.keepWithNext = 1
    return [
        Bookmark(title, key, level, space=16),
        style.text(cut(kind, _HEADING), "block"),
        Tied(0, 3),
        sentence,
        Tied(0, 5),
        columns(left, _numbers(style, image, figures, attribution), style),
    ]


def _picture_height(style: Style) -> float:
    return (style.height - _SECTION_HEAD) / 2 - _BLOCK_REST


def _numbers(style: Style, image: ImageAudit, figures: Figures, attribution: Attribution) -> list[Flowable]:
    margins = image.margins(attribution)
    rows = (
        ("Cosine similarity", number(attribution.similarity, 3)),
        ("Margin to its negated prompts, mean", margin(margins.negated)),
        ("Margin to the control prompts, mean", margin(margins.control)),
    )
    similarity = rows_table(style, ("Score", ""), rows, (style.column - 60, 60), figures=(1,))
    scale = figures.word_scale
    ramp = tint(np.linspace(0, scale.maximum_nats, 256), scale)[None]
    words = f"Words: {scale.sentence('word')}; the shade fades to paper at zero."
    return [
        similarity,
        Spacer(0, 12),
        *_solver(style, attribution),
        Spacer(0, 14),
        ColourBar(ramp, scale, style.column),
        style.text(words, "caption"),
    ]


def _solver(style: Style, attribution: Attribution) -> list[Flowable]:
    image, text = attribution.image_trace, attribution.text_trace
    highest = (float(attribution.image.nats.max(initial=0)), float(attribution.text.by_word().max(initial=0)))
    rows = [
        ("Capacity, all tokens", number(image.capacity_nats) + " nats", number(text.capacity_nats) + " nats"),
        ("Highest token, word", number(highest[0]) + " nats", number(highest[1]) + " nats"),
        ("Loss at the end", _final(image), _final(text)),
        ("Passes", str(len(image.loss)), str(len(text.loss))),
    ]
    numbers = rows_table(style, ("Solver", "Image", "Words"), rows, (style.column - 150, 75, 75), figures=(1, 2))
    seed = (("Seed", str(image.seed)),)  # the run's, so that of both sides
    return [numbers, rows_table(style, None, seed, (style.column - 110, 110), figures=(1,))]


def _final(trace: SolverTrace) -> str:
    return number(trace.loss[-1]) if trace.loss else NOTHING
