"""What is written reads back equal: properties over all records."""

import itertools
import string
from datetime import timedelta
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from medaudit.records import (
    Assertion,
    Attribution,
    AxisMap,
    FaithfulnessCurve,
    FileFate,
    FileRecord,
    Finding,
    GridMap,
    ImageAudit,
    ImageRecord,
    Measurement,
    ModelCard,
    Prompt,
    PromptKind,
    Quantity,
    ReadingCopy,
    RelevanceMap,
    RunRecord,
    Severity,
    SolverTrace,
    StudyAudit,
    StudyRecord,
    TokenGrid,
    TokenRelevance,
    Walk,
)
from medaudit.store.audit_store import AuditStore

MODEST = settings(
    max_examples=25, deadline=timedelta(seconds=5), suppress_health_check=[HealthCheck.function_scoped_fixture]
)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
FINITE32 = st.floats(allow_nan=False, allow_infinity=False, width=32)
SCALE = st.floats(1e-3, 1e3) | st.floats(-1e3, -1e-3)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
CODES = st.text(string.ascii_letters + string.digits, min_size=1, max_size=8)
MAPPINGS = st.dictionaries(TEXT, TEXT, max_size=3)
NOTES = st.lists(TEXT, max_size=2).map(tuple)
SEEDS = st.integers(0, 2**64 - 1)
COUNTER = itertools.count()


def pairs(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | st.tuples(values, values)


@st.composite
def grid_maps(draw: st.DrawFn) -> GridMap:
    rows, columns = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    return GridMap(
        (rows, columns),
        draw(st.tuples(st.integers(1, 9), st.integers(1, 9))),
        TokenGrid(draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(0, 2))),
        AxisMap(draw(SCALE), draw(FINITE)),
        AxisMap(draw(SCALE), draw(FINITE)),
        (draw(st.floats(-0.5, 0)), rows - 0.5, -0.5, draw(st.floats(0, columns - 0.5))),
    )


def traces() -> st.SearchStrategy[SolverTrace]:
    return st.builds(SolverTrace, st.lists(st.floats(), max_size=3).map(tuple), FINITE, SEEDS)


@st.composite
def attributions(draw: st.DrawFn) -> Attribution:
    grid_map = draw(grid_maps())
    words = tuple(draw(st.lists(TEXT, max_size=3)))
    word_of_token = tuple(draw(st.lists(st.integers(-1, len(words) - 1), max_size=4)))
    text, finding = TEXT.filter(str.strip), st.text(string.ascii_letters, min_size=1)
    prompt = st.builds(Prompt, text, st.sampled_from(PromptKind), finding) | st.builds(
        Prompt, text, st.just(PromptKind.REPORT), st.just(""), TEXT, st.none() | st.sampled_from(Assertion)
    )
    return Attribution(
        draw(prompt),
        draw(st.floats(-1, 1)),
        RelevanceMap(
            draw(arrays(np.float32, (grid_map.grid.rows, grid_map.grid.columns), elements=FINITE32)),
            grid_map,
            draw(st.sampled_from(Quantity)),
        ),
        TokenRelevance(
            tuple(draw(TEXT) for _ in word_of_token),
            draw(arrays(np.float32, len(word_of_token), elements=FINITE32)),
            words,
            word_of_token,
            draw(st.sampled_from(Quantity)),
        ),
        draw(TEXT),
        draw(traces()),
        draw(traces()),
        draw(st.dictionaries(TEXT, TEXT | st.integers(-(2**70), 2**70) | FINITE | st.booleans(), max_size=3)),
    )


@st.composite
def reading_copies(draw: st.DrawFn) -> ReadingCopy:
    shape = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    if draw(st.booleans()):
        return ReadingCopy(draw(arrays(np.uint8, (*shape, 3))), inverted=draw(st.booleans()))
    shown, values = draw(arrays(np.uint8, shape)), draw(arrays(np.uint16, shape))
    return ReadingCopy(shown, values, draw(FINITE), draw(FINITE), draw(st.tuples(FINITE, FINITE)), draw(st.booleans()))


MEASUREMENTS = st.builds(Measurement, TEXT, TEXT, FINITE, TEXT, TEXT)
FINDINGS = st.builds(Finding, MEASUREMENTS, FINITE, st.sampled_from(Severity), TEXT, TEXT, TEXT)


@st.composite
def curves(draw: st.DrawFn) -> FaithfulnessCurve:
    inner = draw(st.lists(st.floats(0, 1, exclude_min=True, exclude_max=True), max_size=4, unique=True))
    share = (0.0, *sorted(inner), 1.0)
    lines = st.tuples(*(st.floats(-1, 1) for _ in share))
    return FaithfulnessCurve(draw(TEXT), draw(st.sampled_from(Walk)), share, *(draw(lines) for _ in range(4)))


@st.composite
def images(draw: st.DrawFn, study: str, code: str) -> ImageAudit:
    sizes = st.integers(1, 2**31 - 1)
    record = ImageRecord(
        study,
        draw(TEXT),
        code,
        draw(st.integers(0, 99)),
        draw(sizes),
        draw(sizes),
        draw(MAPPINGS),
        *(draw(TEXT) for _ in range(4)),
        draw(pairs(TEXT)),
        draw(pairs(FINITE)),
        draw(pairs(FINITE)),
        draw(NOTES),
    )
    return ImageAudit(
        record,
        draw(reading_copies()),
        draw(grid_maps()),
        tuple(draw(st.lists(attributions(), max_size=2))),
        tuple(draw(st.lists(MEASUREMENTS, max_size=2))),
        tuple(draw(st.lists(FINDINGS, max_size=2))),
        curves=tuple(draw(st.lists(curves(), max_size=2))),
    )


@st.composite
def studies(draw: st.DrawFn) -> StudyAudit:
    study = f"{draw(CODES)}-{next(COUNTER)}"  # one store takes every example, so each is a study of its own
    codes = draw(st.lists(CODES, max_size=2, unique_by=str.lower))
    seconds = draw(st.floats(0, 1e6))
    return StudyAudit(StudyRecord(study, draw(MAPPINGS)), tuple(draw(images(study, code)) for code in codes), seconds)


FILES = st.builds(FileRecord, CODES, st.text(max_size=12), st.sampled_from(FileFate), TEXT, CODES, TEXT, TEXT)
SIZES = st.tuples(st.integers(1, 999), st.integers(1, 999))
RUNS = st.builds(
    RunRecord,
    *(TEXT for _ in range(4)),
    st.builds(ModelCard, TEXT, TEXT, MAPPINGS, SIZES, SIZES, TEXT, TEXT, NOTES),
    SEEDS,
    keeps_identifiers=st.booleans(),
    started=TEXT,
    versions=MAPPINGS,
    environment=MAPPINGS,
)


@MODEST
@given(audit=studies())
def test_study_reads_back_equal(store, equal, audit):
    store.save_study(audit, ())
    code = audit.record.study
    assert equal(store.study(code), audit)
    assert equal(store.study_record(code), audit.record)
    assert equal(store.images(code), tuple(image.record for image in audit.images))
    assert all(equal(store.image(code, image.record.image), image) for image in audit.images)


@MODEST
@given(files=st.lists(FILES, max_size=4, unique_by=lambda file: file.code))
def test_files_read_back_equal(store, files):
    store.save_files(files)
    written = {file.code: file for file in files}
    assert [file for file in store.files() if file.code in written] == [written[code] for code in sorted(written)]
    for fate in FileFate:
        assert all(file.fate is fate for file in store.files(fate))


@settings(MODEST, max_examples=8)
@given(run=RUNS)
def test_run_reads_back_equal(tmp_path_factory, run):
    with AuditStore.create(tmp_path_factory.mktemp("audit"), run) as store:
        assert store.run() == run
