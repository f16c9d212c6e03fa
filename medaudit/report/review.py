"""The block of the person who reads the report: what was signed, or lines to fill in by hand."""

from collections.abc import Sequence

from reportlab.platypus import CondPageBreak, Flowable, KeepTogether, Spacer

from medaudit.figures.wording import NOTHING, moment
from medaudit.records import ImageAudit, StudyAudit
from medaudit.records.review import Answer, Decision, Meaning, SignedReview, Subject
from medaudit.report.contents import Contents
from medaudit.report.scores import all_findings
from medaudit.report.style import RULE, Style
from medaudit.report.summary import cut
from medaudit.report.tables import Cell, pairs_table, rows_table

FINDINGS_TO_DECIDE = 12
"""Lines of the block that is filled in by hand; the findings themselves stand under Measurements."""

_QUOTE = 130  # characters of a finding or prompt
_KEY = 122.0
_BOX = 7.0
_ROOM = 220.0  # points that the block needs at the foot of a page to begin there


def review(contents: Contents) -> list[Flowable]:
    """What each reader signed last; without a signature, the lines for one."""
    style = contents.style
    story = [CondPageBreak(_ROOM), *contents.section(style.words.say("review"), "review")]
    if not contents.reviews:
        return [*story, *_by_hand(contents)]
    for one in latest(contents.reviews):
        story += [*_signed(contents, one), Spacer(0, 12)]
    return story


def _signed(contents: Contents, signed: SignedReview) -> list[Flowable]:
    style, say = contents.style, contents.style.words.say
    rows = [_decided(style, contents.audit, answer) for answer in signed.review.answers if answer.decision is not None]
    pairs = [
        (say("review.name"), signed.printed_name),
        (say("review.meaning"), say(f"review.meaning.{signed.meaning.value}")),
        (say("review.date"), moment(signed.signed_at)),
        (say("review.edition"), str(signed.edition)),
        *([(say("review.amendment"), signed.amendment)] if signed.amendment else []),
        (say("review.conclusion"), signed.review.conclusion or NOTHING),
        (say("review.record"), signed.record_sha256),
    ]
    table = pairs_table(style, pairs, style.width, _KEY)
    story: list[Flowable] = [style.text(f"{signed.printed_name} \u00b7 {signed.edition}", "block")]
    if table is not None:
        story.append(table)
    if rows:
        widths = (220.0, 60.0)
        head = tuple(say(f"review.{name}") for name in ("about", "decision", "why"))
        story += [Spacer(0, 6), rows_table(style, head, rows, (*widths, style.width - sum(widths)), figures=())]
    return story


def _decided(style: Style, audit: StudyAudit, answer: Answer) -> tuple[str, str, str]:
    image = next((one for one in audit.images if one.record.image == answer.target.image), None)
    decision = style.words.say(f"review.decision.{answer.decision.value}") if answer.decision else NOTHING
    why = " \u00b7 ".join(part for part in (answer.reason.value if answer.reason else "", answer.text) if part)
    return cut(_about(style, image, answer), _QUOTE), decision, why or NOTHING


def _about(style: Style, image: ImageAudit | None, answer: Answer) -> str:
    """The sentence of a finding or a prompt; its place where the image no longer has it."""
    target = answer.target
    if image is not None and target.subject is Subject.FINDING and target.position < len(image.findings):
        return style.words.told(image.findings[target.position], "claim")
    if image is not None and target.subject is Subject.MAP and target.position < len(image.attributions):
        return image.attributions[target.position].prompt.text
    return f"{target.image} \u00b7 {target.subject} {target.position + 1}"


def _by_hand(contents: Contents) -> list[Flowable]:
    style, say = contents.style, contents.style.words.say
    story: list[Flowable] = [style.text(say("review.by_hand"), "caption"), Spacer(0, 6)]
    findings = all_findings(contents.audit)
    decisions = [say(f"review.decision.{one.value}") for one in Decision]
    rows: list[tuple[Cell, ...]] = [
        (cut(style.words.told(finding, "claim"), _QUOTE), *(Box() for _ in decisions), "")
        for finding, _ in findings[:FINDINGS_TO_DECIDE]
    ]
    if rows:
        widths = (52.0,) * len(decisions)
        rest = style.width - sum(widths)
        head = (say("review.about"), *decisions, say("review.comment"))
        story.append(rows_table(style, head, rows, (rest * 0.62, *widths, rest * 0.38), figures=()))
    if len(findings) > FINDINGS_TO_DECIDE:
        story.append(style.text(say("review.more", n=len(findings) - FINDINGS_TO_DECIDE), "caption"))
    meanings = " \u00b7 ".join(say(f"review.meaning.{one.value}") for one in Meaning)
    lines = [
        Line(style, say("review.conclusion"), style.width),
        Line(style, "", style.width),
        Line(style, say("review.name"), style.width),
        Line(style, say("review.date"), style.width),
        Line(style, say("review.meaning.which", meanings=meanings), style.width),
        Line(style, say("review.signature"), style.width),
    ]
    return [*story, KeepTogether([Spacer(0, 8), *lines])]


class Box(Flowable):  # type: ignore[misc]  # reportlab has no types
    """A box to tick."""

    def __init__(self) -> None:
        super().__init__()
        self.width, self.height = _BOX, _BOX + 3.5

    def draw(self) -> None:
        """Draw with the origin at the lower left."""
        self.canv.saveState()
        self.canv.setLineWidth(0.7)
        self.canv.rect(0, 0, _BOX, _BOX, stroke=1, fill=0)
        self.canv.restoreState()


class Line(Flowable):  # type: ignore[misc]  # reportlab has no types
    """A label with a line to write on."""

    def __init__(self, style: Style, label: str, width: float) -> None:
        super().__init__()
        self._label = style.text(label, "caption")
        self.width = width
        self._high = self._label.wrap(width, 100)[1] if label else 0.0
        self.height = self._high + 22

    def draw(self) -> None:
        """Draw with the origin at the lower left."""
        canvas = self.canv
        canvas.saveState()
        canvas.setStrokeColor(RULE)
        canvas.setLineWidth(0.8)
        canvas.line(0, 2, self.width, 2)
        canvas.restoreState()
        if self._high:
            self._label.drawOn(canvas, 0, self.height - self._high)


def latest(reviews: Sequence[SignedReview]) -> tuple[SignedReview, ...]:
    """The last edition of every reader, by reader."""
    last = {one.review.reader: one for one in sorted(reviews, key=lambda one: one.edition)}
    return tuple(last[reader] for reader in sorted(last))
