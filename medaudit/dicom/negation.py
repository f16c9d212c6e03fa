"""Whether a sentence of an English radiology report asserts, denies or hedges what it names.

A rule set in the manner of NegEx (Chapman, Bridewell, Hanbury, Cooper, Buchanan: A simple algorithm for identifying
negated findings and diseases in discharge summaries, J Biomed Inform 34, 2001) and ConText (Harkema, Dowling,
Thornblade, Chapman: ConText: an algorithm for determining negation, experiencer, and temporal status from clinical
reports, J Biomed Inform 42, 2009): trigger phrases before or after a term, pseudo-triggers that look like negation
and are none, and words that end a trigger's scope. Uncertainty as a class of its own, and mentions taken from a
list of findings, follow the labeler of CheXpert (Irvin et al., AAAI 2019, arXiv:1901.07031). The lists below are our
own; the tests hold them against phrasings as reports have them.

The rules read one sentence at a time, know no grammar, and will be wrong now and then: a label to sort by, no truth.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from medaudit.records.relevance import Assertion


class _Kind(Enum):
    """What a phrase does; in the order in which the lists are tried at one place."""

    PSEUDO = auto()
    DOUBT_BEFORE = auto()
    DOUBT_AFTER = auto()
    DENIAL_AFTER = auto()
    DENIAL_BEFORE = auto()
    END = auto()


_CHANGE: Final = (
    r"change|changes|increase|decrease|improvement|worsening|progression|difference|interval|enlargement|growth|reduction"
    r"|(?:in(?:ter)?val\s+)?resolution"
)
_DEGREE: Final = r"(?:\w+(?:ly)?\s+){0,3}?"
_BE: Final = r"(?:is|are|was|were|be|been|being|has\s+been|have\s+been|can\s?not\s+be|could\s+not\s+be|cannot\s+be)"
_RULED: Final = r"(?:excluded|ruled\s+out|entirely\s+excluded|completely\s+excluded|excluded\s+\w+ly)"
_SEEN: Final = (
    r"(?:seen|identified|visualized|visualised|demonstrated|detected|evident|apparent|present|noted|appreciated|found"
    r"|visible|observed|shown|recognized|recognised|suspected|confirmed|discernible|delineated|depicted)"
)

_PHRASES: Final[tuple[tuple[_Kind, tuple[str, ...]], ...]] = (
    (
        _Kind.PSEUDO,
        (
            rf"(?:no|without)\s+{_DEGREE}(?:{_CHANGE})\b(?!\s+to\s+suggest)",
            (
                r"not\s+(?:significantly\s+|substantially\s+|appreciably\s+|markedly\s+)?(?:changed|increased|decreased|"
                r"improved|worsened|progressed|resolved|enlarged\s+since|different)"
            ),
            r"has\s+not\s+(?:\w+ly\s+)?(?:changed|increased|decreased|improved|worsened|progressed|resolved|cleared)",
            r"not\s+(?:only|necessarily|simply|just)",
            r"no\s+further(?=\s+(?:evaluation|imaging|work-?up|follow))",
            r"without\s+(?:contrast|difficulty|iv|intravenous)",
            r"gram[\s-]negative",
            r"no\s+doubt",
            r"no(?:\.|\s+)\s*\d+",
        ),
    ),
    (
        _Kind.DOUBT_AFTER,
        (
            rf"(?:can\s?not|can't|could\s+not|couldn't|may\s+not)\s+be\s+(?:\w+ly\s+)?{_RULED}",
            rf"{_BE}\s+not\s+(?:\w+ly\s+)?{_RULED}",
            rf"not\s+(?:\w+ly\s+)?{_RULED}",
            (
                rf"{_BE}\s+(?:\w+ly\s+)?(?:possible|suspected|questioned|questionable|uncertain|indeterminate"
                r"|not\s+certain(?!\s+(?:if|whether))"
                r"|considered|in\s+the\s+differential|less\s+likely|likely|probable|unlikely|favou?red|equivocal|doubtful"
                r"|thought\s+(?:less\s+)?(?:likely|unlikely)|felt\s+(?:less\s+)?(?:likely|unlikely)|a\s+(?:consideration"
                r"|possibility|concern))"
            ),
            r"(?:less\s+likely|unlikely)$",
            r"(?:may|might|could|cannot|can\s?not)\s+(?:also\s+)?(?:be\s+present|be\s+there|coexist|contribute)",
            r"should\s+be\s+considered",
            r"remains?\s+(?:a\s+)?(?:possible|possibility|concern|consideration|in\s+the\s+differential)",
            rf"not\s+(?:definitely|clearly|certainly|convincingly)\s+{_SEEN}",
            r"(?:is|are)\s+difficult\s+to\s+(?:exclude|rule\s+out|assess|evaluate)",
        ),
    ),
    (
        _Kind.DOUBT_BEFORE,
        (
            (
                r"(?:can\s?not|can't|could\s+not|couldn't|not|difficult\s+to|unable\s+to|impossible\s+to|does\s+not|do\s+not)"
                r"\s+(?:\w+ly\s+)?(?:exclude|rule\s+out|excluding|ruling\s+out)"
            ),
            r"(?:rule\s+out|r/o|to\s+exclude|\?(?=\s*\w)|query|evaluate\s+for|assess\s+for|eval\s+for|concern\s+for)",
            (
                r"(?:may|might|could|would|can)\s+(?:also\s+|well\s+|possibly\s+|potentially\s+)?(?:represent|be|reflect"
                r"|suggest|indicate|relate|correspond|signify|have|favou?r|simulate|mimic|obscure|mask|account)"
                r"(?:\s+(?:to|due\s+to|related\s+to|secondary\s+to))?"
            ),
            (
                r"(?:possible|possibly|possibility\s+of|potential|potentially|probable|probably|likely|most\s+likely"
                r"|presumed|presumably|presumptive|perhaps|maybe|questionable|question\s+of|equivocal|suspected|suspect"
                r"|suspicion\s+(?:of|for)|suspicious\s+(?:for|of)|concerning\s+for|worrisome\s+for|concern\s+(?:of|about)"
                r"|suggest(?:s|ed|ing|ive(?:\s+of)?)?|apparent|apparently|unlikely|less\s+likely|doubtful|indeterminate"
                r"|favou?r(?:s|ed|ing)?|raises?\s+(?:the\s+)?(?:possibility|question|concern|suspicion)\s+(?:of|for|about)"
                r"|differential\s+(?:diagnosis\s+)?(?:includes?|considerations?|is|would\s+include|of)|versus|vs\.?"
                r"|not\s+(?:certain|sure|clear)\s+(?:if|whether)|uncertain\s+(?:if|whether)|unclear\s+(?:if|whether)"
                r"|borderline|cannot\s+confirm|if\s+there\s+is|should\s+raise|consider|considerations?\s+include"
                r"|not\s+definitely|not\s+certain|thought\s+to\s+be|felt\s+to\s+be|appears?\s+to\s+(?:be|represent)|seems?)"
            ),
        ),
    ),
    (
        _Kind.DENIAL_AFTER,
        (
            rf"(?:{_BE}\s+)?(?:not|no\s+longer|never)\s+(?:well\s+|otherwise\s+|longer\s+)?{_SEEN}",
            r"(?:is|are|was|were|do|does|did|has|have)n't\s+(?:well\s+)?" + _SEEN,
            rf"{_BE}\s+(?:now\s+|completely\s+|entirely\s+)?(?:absent|negative|{_RULED}|resolved|removed|gone|cleared)",
            (
                r"(?:has|have|had)\s+(?:since\s+|completely\s+|fully\s+|now\s+|entirely\s+|nearly\s+)?(?:resolved|cleared"
                r"|disappeared|been\s+removed|been\s+excluded)"
            ),
            r"(?:completely|fully)\s+resolved",
            r"(?:is|are|was|were)\s+(?:no\s+longer|nowhere)",
            r":\s*(?:none|no|negative|absent|nil)\b",
        ),
    ),
    (
        _Kind.DENIAL_BEFORE,
        (
            r"no|without|w/o|none\s+of|none|neither|nor|never|not|n't|non-?visuali[sz]ation\s+of|nil|cannot|can\s+not|zero",
            r"absence\s+of|absent|free\s+(?:of|from)|clear\s+of|negative\s+for|lack\s+of|lacks?|lacking|devoid\s+of",
            r"fails?\s+to\s+(?:reveal|show|demonstrate)|denies|denied|ruled\s+out|rules\s+out|excludes|exclusion\s+of",
            r"resolution\s+of|resolved|removal\s+of|disappearance\s+of|clearing\s+of|unremarkable\s+for|against",
            r"nothing\s+to\s+suggest|rather\s+than|instead\s+of|unaccompanied\s+by|isn't|aren't|wasn't|doesn't|don't",
        ),
    ),
    (
        _Kind.END,
        (
            (
                r"but|however|although|though|nevertheless|yet|still|whereas|while|except(?:ing|\s+for)?|aside\s+from"
                r"|apart\s+from|other\s+than|besides|beyond|save\s+for|otherwise|instead|then"
            ),
            r"secondary\s+to|due\s+to|because(?:\s+of)?|as\s+a\s+result\s+of|caused\s+by|which|that\s+(?:is|are|may|could)",
            r";|:|\u2014|\u2013|\s-\s|\.\s",
            (
                r"(?:,\s*(?:and\s+|or\s+)?|(?:and|or)\s+)(?:there\s+(?:is|are|has|have|may|remains?)|(?:the|this|these|it|its)\s+\w+"
                r"(?=\s+(?:\w+\s+){0,3}?(?:is|are|has|have|shows?|remains?|appears?|demonstrates?|measures?)\b)|with\s+(?:a|an|stable|"
                r"unchanged|persistent|residual|mild|moderate|small|large|minimal)\b)"
            ),
            (
                r",\s*(?:and\s+)?(?:mild(?:ly)?|moderate(?:ly)?|severe(?:ly)?|stable|unchanged|persistent|persisting|increased"
                r"|increasing|decreased|worsening|improving|improved|residual|now|status|again|but)\b(?!.*\bor\b)"
            ),
            r",\s*(?=(?:with|a|an|likely|possibly|probably)\b(?!.*\bor\b))",
            r",\s*(?=(?:no|not|without)\b)",
        ),
    ),
)
_BEFORE: Final = {_Kind.DENIAL_BEFORE: Assertion.NEGATED, _Kind.DOUBT_BEFORE: Assertion.UNCERTAIN}
_AFTER: Final = {_Kind.DENIAL_AFTER: Assertion.NEGATED, _Kind.DOUBT_AFTER: Assertion.UNCERTAIN}

# A phrase is of whole words; signs (, ; : ?) may stand against one.
_TRIGGER: Final = re.compile(
    "|".join(
        f"(?P<k{number}>(?:(?<![\\w/-])|(?=[,;:?]))(?:{'|'.join(patterns)})(?:(?![\\w-])|(?<=[\\s,;:?])))"
        for number, (_, patterns) in enumerate(_PHRASES)
    )
)

# What chest and general reports name as found; stems, so that plurals and adjectives count.
_FINDINGS: Final = re.compile(
    r"\b(?:effusions?|pneumothora(?:x|ces)|hydropneumothorax|haemothorax|hemothorax|consolidat\w*|opaci(?:ty|ties|fication\w*)"
    r"|infiltrat\w*|pneumonias?|atelecta\w*|edema\w*|oedema\w*|congest\w*|cardiomegaly|enlarge\w*|nodul\w*|mass(?:es)?"
    r"|lesions?|fractur\w*|emphysema\w*|fibro\w*|scar(?:s|ring)?|granulomas?|calcifi\w*|thickening|blunting|hernia\w*"
    r"|lymphadenopath\w*|adenopath\w*|metasta\w*|tumou?rs?|cancers?|carcinomas?|malignan\w*|cyst\w*|abscess\w*|empyema\w*"
    r"|hemorrhag\w*|haemorrhag\w*|hematomas?|haematomas?|infarct\w*|isch(?:emi|aemi)\w*|embol\w*|thromb\w*|stenos\w*"
    r"|occlusions?|aneurysms?|dissections?|dilat\w*|dilation|hydroceph\w*|hydroneph\w*|obstruct\w*|perforat\w*"
    r"|free\s+(?:air|fluid|gas)|pneumoperitoneum|pneumomediastinum|tuberculosis|covid\w*|bronchiectas\w*|hyperinflat\w*"
    r"|cavit(?:y|ies|ation\w*)|collapse\w*|widening|widened|deviat\w*|displac\w*|dislocat\w*|subluxat\w*|degenerat\w*"
    r"|osteophyt\w*|scolios\w*|kyphos\w*|abnormalit\w*|disease|process|fluid|air\s+bronchograms?|interstitial\s+markings"
    r"|pacemakers?|catheters?|tubes?|lines?|drains?|wires?|devices?|inflammat\w*|infect\w*|aspirat\w*|injur\w*"
    r"|volume\s+loss|shift|density|densities|lucenc\w*|stones?|calcul\w*|appendicitis|diverticul\w*|cholecystitis"
    r"|stranding|swelling|compression|decompensation|failure|hypertension|silicos\w*|plaques?|bulla\w*|blebs?)\b"
)
# fmt: off
_PLAIN_WORDS: Final = frozenset({
    "a", "an", "the", "of", "in", "on", "at", "to", "for", "from", "by", "with", "and", "or", "as", "is", "are",
    "was", "were", "be", "been", "being", "has", "have", "had", "there", "this", "that", "these", "those", "it",
    "its", "any", "seen", "noted", "identified", "present", "evidence", "sign", "signs", "significant", "definite",
    "acute", "new", "other", "left", "right", "both", "bilateral", "also", "again", "within", "into", "over",
    "under", "between", "than",
})
# fmt: on
# No sentence is longer; the rules take time with the square of the length.
_LONGEST: Final = 2000
_WORD: Final = re.compile(r"[a-z][a-z'-]+")


@dataclass(frozen=True, slots=True)
class Mention:
    """A term in a sentence, by its place in the lower-cased text with single spaces, and how it stands there."""

    term: str
    start: int
    assertion: Assertion


@dataclass(frozen=True, slots=True)
class _Trigger:
    kind: _Kind
    start: int
    end: int


def assertion_of(sentence: str) -> Assertion:
    """Affirmed, negated or uncertain; mixed where one part of the sentence denies and another does not.

    A hedged finding makes a sentence uncertain that affirms another ("opacity that may represent pneumonia").
    Without a finding of the list, one denied or hedged word decides.
    """
    found = {mention.assertion for mention in mentions(sentence)}
    if not found:
        return _by_words(sentence)
    if len(found) == 1:
        return found.pop()
    return Assertion.MIXED if Assertion.NEGATED in found else Assertion.UNCERTAIN


def mentions(sentence: str) -> tuple[Mention, ...]:
    """The findings that a sentence names, in order, each with its assertion."""
    text = _normal(sentence)
    triggers = tuple(_triggers(text))
    return tuple(
        Mention(found[0], found.start(), _assertion_at(found.start(), found.end(), triggers))
        for found in _FINDINGS.finditer(text)
        if not any(
            trigger.start <= found.start() < trigger.end for trigger in triggers if trigger.kind is not _Kind.END
        )
    )


def assertion_of_term(sentence: str, term: str) -> Assertion | None:
    """How a sentence stands to one term (a whole word or phrase, its plural too); None where it does not name it.

    Named twice, what is affirmed counts before what is uncertain, and that before what is denied.
    """
    text = _normal(sentence)
    triggers = tuple(_triggers(text))
    words = r"\s+".join(map(re.escape, term.casefold().split()))
    found = {
        _assertion_at(one.start(), one.end(), triggers) for one in re.finditer(rf"(?<!\w){words}(?:e?s)?(?!\w)", text)
    }
    order = (Assertion.AFFIRMED, Assertion.UNCERTAIN, Assertion.NEGATED)
    return next((assertion for assertion in order if assertion in found), None)


def _by_words(sentence: str) -> Assertion:
    text = _normal(sentence)
    triggers = tuple(_triggers(text))
    inside = [(trigger.start, trigger.end) for trigger in triggers]
    found = {
        _assertion_at(word.start(), word.end(), triggers)
        for word in _WORD.finditer(text)
        if word[0] not in _PLAIN_WORDS and not any(start <= word.start() < end for start, end in inside)
    }
    order = (Assertion.NEGATED, Assertion.UNCERTAIN)
    return next((assertion for assertion in order if assertion in found), Assertion.AFFIRMED)


def _normal(sentence: str) -> str:
    return " ".join(sentence[:_LONGEST].replace("\u2019", "'").casefold().split()).rstrip(".! ")


def _triggers(text: str) -> Iterator[_Trigger]:
    for found in _TRIGGER.finditer(text):
        kind = _PHRASES[int((found.lastgroup or "k0")[1:])][0]
        yield _Trigger(kind, found.start(), found.end())


def _assertion_at(start: int, end: int, triggers: tuple[_Trigger, ...]) -> Assertion:
    """The outermost trigger before the term decides ("probably no effusion"), else the nearest one after it.

    A scope ends at an END, and at a further denial: "cardiomegaly without edema".
    """
    before: list[_Trigger] = []
    for trigger in triggers:
        if trigger.end <= start:
            before = [] if trigger.kind is _Kind.END else [*before, trigger]
    for trigger in before:
        if trigger.kind in _BEFORE:
            return _BEFORE[trigger.kind]
    for trigger in triggers:
        if trigger.start >= end and trigger.kind in (_Kind.END, _Kind.DENIAL_BEFORE):
            break
        if trigger.start >= end and trigger.kind in _AFTER:
            return _AFTER[trigger.kind]
    return Assertion.AFFIRMED
