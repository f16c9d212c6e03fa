"""The standing texts of a report: how to read its numbers, and what they do not show."""

from medaudit.figures.wording import SIMILARITY_IS

HOW_TO_READ = (
    (
        "Similarity",
        (
            f"{SIMILARITY_IS} It has no unit and no threshold of its own; only differences between prompts of the "
            "same image are compared here."
        ),
    ),
    (
        "Margins",
        (
            "The cosine of a finding prompt less the mean cosine of the negated prompts of the same finding, "
            "and less the mean cosine of all control prompts."
        ),
    ),
    (
        "Relevance",
        (
            "Nats per token: the information about that token that may pass while the similarity holds. Zero "
            "is always the low end of the colours, and a map is never stretched to its own range, so a flat "
            "map looks flat."
        ),
    ),
    (
        "Words",
        (
            "The nats of a word are the sum over its tokens. Tokens that belong to no word (begin, end, "
            "padding) are not shown; they count in the capacity."
        ),
    ),
    (
        "Maps",
        (
            "Values of image tokens, interpolated between token centres and laid where the model\u2019s "
            "preprocessing took them from. What was cropped away has no value and is hatched."
        ),
    ),
)

LIMITS = (
    (
        "Whether a finding is present.",
        (
            "A cosine is not a probability, and no reference standard was used: nothing here is a "
            "sensitivity, a specificity or an accuracy."
        ),
    ),
    (
        "Where a finding lies.",
        (
            "A map shows what the similarity rests on in this model; a model can be right for the wrong "
            "region and wrong for the right one."
        ),
    ),
    (
        "That the model is safe where no measurement crossed its threshold.",
        ("Checks find what they look for, and the thresholds are the pipeline\u2019s, not a standard\u2019s."),
    ),
    (
        "That a finding of this audit changes the answer for this patient.",
        ("It says that a measurement went beyond the pipeline\u2019s limit, and asks a person to look."),
    ),
    (
        "How the model behaves on other studies, devices or prompts.",
        ("Differences between groups of patients need a cohort."),
    ),
)

UNSEEN = (
    "What lies in the hatched area.",
    "The model did not see it, so nothing here can speak of it.",
)
