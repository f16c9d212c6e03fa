"""What the terminal says when a run ends."""

import json
from pathlib import Path

from medaudit.console import STUDIES_SHOWN, _print_json, _print_summary
from medaudit.pipeline.run import Contradiction, Summary


def summary_of(*contradictions):
    return Summary(
        audited=("ST-A",), resumed=0, failed=(), pending=0, failures=(), contradictions=contradictions, seconds=1.0
    )


def of(kind, *studies):
    return Contradiction(kind, studies, f"conflict: {kind}", f"look at the {kind}")


def test_contradictions_are_counted_by_kind_with_the_studies_and_what_to_do(capsys):
    many = [of("patient ID", f"ST-{index}") for index in range(STUDIES_SHOWN + 2)]
    _print_summary(summary_of(*many, of("sex", "ST-0")), [], Path("audit"), "medaudit")
    lines = capsys.readouterr().out.splitlines()
    at = lines.index("8 contradictions between headers of the input:")
    assert lines[at + 1 : at + 3] == [
        "  7 by patient ID, in ST-0, ST-1, ST-2, ST-3, ST-4 and 2 more: look at the patient ID",
        "  1 by sex, in ST-0: look at the sex",
    ]


def test_headers_that_agree_are_not_spoken_of(capsys):
    _print_summary(summary_of(), [], Path("audit"), "medaudit")
    assert "contradiction" not in capsys.readouterr().out


def test_json_names_every_contradiction(capsys):
    _print_json(summary_of(of("sex", "ST-0", "ST-1")), [], Path("audit"))
    assert json.loads(capsys.readouterr().out)["contradictions"] == [
        {"kind": "sex", "studies": ["ST-0", "ST-1"], "words": "conflict: sex", "remedy": "look at the sex"}
    ]
