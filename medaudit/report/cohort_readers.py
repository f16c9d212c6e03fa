"""What readers decided on the cohort, and how far they agree; readers by letter, nobody by name."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from string import ascii_uppercase

from reportlab.platypus import Flowable, Spacer

from medaudit.figures.wording import NOTHING
from medaudit.metrics.readers import Agreement, Case, agreements, by_kind, decisions, tally
from medaudit.records.review import Decision, Subject
from medaudit.report.cohort_pages import Pages
from medaudit.report.layout import CohortSection
from medaudit.report.tables import rows_table
from medaudit.store.placed import PlacedFinding

_COUNT = 58.0  # points of a column of counts


def readers(pages: Pages) -> list[Flowable]:
    """Decisions by kind of finding, and the agreement of every two readers; from signed reviews alone."""
    decided = decisions(pages.cohort.signed)
    kinds = by_kind(decided, _kind_of(pages))
    studies = len({one.review.study for one in pages.cohort.signed})
    counted = {"readers": len(decided), "studies": pages.style.words.count(studies, "study")}
    return [
        *pages.section(CohortSection.READERS, pages.say("readers")),
        pages.style.text(pages.say("readers.how", **counted), "caption"),
        Spacer(0, 6),
        _tallies(pages, kinds),
        *_agreements(pages, decided, kinds),
    ]


def _kind_of(pages: Pages) -> Callable[[Case], str]:
    """Names the check behind the finding that a case is, or says that it is a map."""
    placed: dict[tuple[str, str], list[PlacedFinding]] = defaultdict(list)
    for one in pages.cohort.rows.findings:
        placed[one.study, one.image].append(one)

    def kind_of(case: Case) -> str:
        study, target = case
        found = placed[study, target.image]
        if target.subject is Subject.MAP or target.position >= len(found):
            return pages.say("readers.maps" if target.subject is Subject.MAP else "readers.gone")
        measurement = found[target.position].finding.measurement
        return pages.style.words.quantity(measurement.check, measurement.quantity)

    return kind_of


def _tallies(pages: Pages, kinds: Mapping[str, Mapping[str, Mapping[Case, Decision]]]) -> Flowable:
    style = pages.style
    head = (pages.say("review.about"), *(pages.say(f"review.decision.{one.value}") for one in Decision))
    rows = [(kind, *(str(tally(decided)[one]) for one in Decision)) for kind, decided in kinds.items()]
    widths = (_COUNT,) * len(Decision)
    return rows_table(style, head, rows, (style.width - sum(widths), *widths), figures=range(1, 1 + len(Decision)))


def _agreements(
    pages: Pages,
    decided: Mapping[str, Mapping[Case, Decision]],
    kinds: Mapping[str, Mapping[str, Mapping[Case, Decision]]],
) -> Sequence[Flowable]:
    style, letters = pages.style, {reader: _letter(place) for place, reader in enumerate(sorted(decided))}

    def lines(kind: str, pairs: Sequence[Agreement]) -> list[tuple[str, ...]]:
        found: list[tuple[str, ...]] = []
        for place, one in enumerate(pairs):
            kappa = NOTHING if one.kappa is None else style.words.number(one.kappa, 2)
            pair, equal = f"{letters[one.first]} \u00b7 {letters[one.second]}", style.words.number(100 * one.equal, 0)
            found.append(("" if place else kind, pair, str(one.cases), f"{equal} %", kappa))
        return found

    rows = lines(pages.say("readers.all"), agreements(decided))
    if not rows:
        return [Spacer(0, 6), style.text(pages.say("readers.alone"), "caption")]
    rows += [line for kind, of_kind in kinds.items() for line in lines(kind, agreements(of_kind))]
    head = (pages.say("review.about"), *(pages.say(f"readers.{name}") for name in ("pair", "cases", "equal", "kappa")))
    widths = (_COUNT,) * 4
    table = rows_table(style, head, rows, (style.width - sum(widths), *widths), figures=(2, 3, 4))
    return [Spacer(0, 10), table, Spacer(0, 3), style.text(pages.say("readers.caution"), "caption")]


def _letter(place: int) -> str:
    """A, B, ... Z, AA, AB, ..."""
    more, rest = divmod(place, len(ascii_uppercase))
    return (_letter(more - 1) if more else "") + ascii_uppercase[rest]
