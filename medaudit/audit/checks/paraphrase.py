"""Paraphrase: does a finding score alike, however it is said?"""

from statistics import pstdev

from medaudit.audit.case import Case, Cost, Depth, Load
from medaudit.records import Measurement

CHECK = "paraphrase"
SPREAD = "spread"


def measure(case: Case) -> list[Measurement]:
    """One measurement a finding: standard deviation over its sentences, in units of that over all prompts."""
    ways = {name: texts for name, texts in case.questions.paraphrases.items() if len(texts) > 1}
    if case.depth is Depth.MAPS or not ways or not case.spread:
        return []
    scores = iter(case.scores(case.picture[None], [text for texts in ways.values() for text in texts])[0])
    found = []
    for texts in ways.values():
        similar = [float(next(scores)) for _ in texts]
        against = f"{len(texts) - 1} other way{'s' if len(texts) > 2 else ''} to say it"
        found.append(Measurement(CHECK, SPREAD, pstdev(similar) / case.spread, texts[0], against))
    return found


def cost(load: Load) -> Cost:
    """Of one picture."""
    return Cost(0 if load.depth is Depth.MAPS else 1)
