"""Records to rows and arrays, and back through the records' own constructors."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from medaudit.records.cohort import Observation
from medaudit.records.curve import FaithfulnessCurve, Walk
from medaudit.records.finding import Finding, Measurement, Severity
from medaudit.records.geometry import AxisMap, GridMap, TokenGrid
from medaudit.records.image import ImageRecord, ReadingCopy
from medaudit.records.provenance import FileFate, FileRecord, ModelCard, RunRecord
from medaudit.records.relevance import (
    Assertion,
    Attribution,
    Prompt,
    PromptKind,
    Quantity,
    RelevanceMap,
    SolverTrace,
    TokenRelevance,
)
from medaudit.records.study import ImageAudit
from medaudit.store.arrays import Arrays
from medaudit.store.cohort_rows import Embedding, as_text

Row = dict[str, Any]
Read = sa.RowMapping


def from_run(run: RunRecord) -> Row:
    """The one row of ``run``."""
    row = asdict(run)
    row |= {"position": 0, "versions": dict(run.versions), "environment": dict(run.environment)}
    row["model"]["files"] = dict(run.model.files)
    return row


def to_run(row: Read) -> RunRecord:
    """Back from the row of ``run``."""
    card = row["model"] | {key: tuple(row["model"][key]) for key in ("input_size", "grid", "notes")}
    fields = {key: value for key, value in row.items() if key not in ("position", "model")}
    return RunRecord(model=ModelCard(**card), **fields)


def from_file(file: FileRecord) -> Row:
    """A row of ``file``."""
    return asdict(file) | {"fate": file.fate.value}


def to_file(row: Read) -> FileRecord:
    """Back from a row of ``file``."""
    return FileRecord(**{**row, "fate": FileFate(row["fate"])})


def from_elements(elements: Mapping[str, str], **key: str) -> list[Row]:
    """Rows of ``study_element`` or ``image_element``."""
    return [
        {**key, "keyword": keyword, "position": position, "value": value}
        for position, (keyword, value) in enumerate(elements.items())
    ]


def to_elements(rows: Iterable[Read]) -> dict[str, str]:
    """Back from rows of elements, in their order."""
    return {row["keyword"]: row["value"] for row in rows}


def from_image(audit: ImageAudit, position: int, arrays_sha256: str) -> Row:
    """A row of ``image``: the record, the geometry and all of the reading copy but its arrays."""
    record, copy = audit.record, audit.reading_copy
    directions = record.patient_orientation or (None, None)
    spacing = record.pixel_spacing or (None, None)
    imager_spacing = record.imager_pixel_spacing or (None, None)
    window = copy.window or (None, None)
    return {
        "study": record.study,
        "image": record.image,
        "position": position,
        "series": record.series,
        "frame": record.frame,
        "rows": record.rows,
        "columns": record.columns,
        "transfer_syntax": record.transfer_syntax,
        "decoder": record.decoder,
        "display": record.display,
        "pixel_sha256": record.pixel_sha256,
        "row_direction": directions[0],
        "column_direction": directions[1],
        "pixel_spacing_row": spacing[0],
        "pixel_spacing_column": spacing[1],
        "imager_pixel_spacing_row": imager_spacing[0],
        "imager_pixel_spacing_column": imager_spacing[1],
        "notes": list(record.notes),
        "grid_map": asdict(audit.grid_map),
        "slope": copy.slope,
        "intercept": copy.intercept,
        "window_center": window[0],
        "window_width": window[1],
        "inverted": copy.inverted,
        "arrays_sha256": arrays_sha256,
        "embedding": as_text(audit.embedding),
    }


def to_image_record(row: Read, elements: Mapping[str, str]) -> ImageRecord:
    """The record back from a row of ``image``."""
    same = ("study", "series", "image", "frame", "rows", "columns")
    text = ("transfer_syntax", "decoder", "display", "pixel_sha256")
    return ImageRecord(
        **{name: row[name] for name in (*same, *text)},
        elements=elements,
        patient_orientation=_pair(row["row_direction"], row["column_direction"]),
        pixel_spacing=_pair(row["pixel_spacing_row"], row["pixel_spacing_column"]),
        imager_pixel_spacing=_pair(row["imager_pixel_spacing_row"], row["imager_pixel_spacing_column"]),
        notes=tuple(row["notes"]),
    )


def to_reading_copy(row: Read, arrays: Arrays) -> ReadingCopy:
    """The reading copy back from a row of ``image`` and its arrays."""
    return ReadingCopy(
        shown=arrays["shown"],
        values=arrays.get("values"),
        slope=row["slope"],
        intercept=row["intercept"],
        window=_pair(row["window_center"], row["window_width"]),
        inverted=row["inverted"],
    )


def to_grid_map(fields: Mapping[str, Any]) -> GridMap:
    """Back from the JSON of a grid map."""
    return GridMap(
        stored=tuple(fields["stored"]),
        input=tuple(fields["input"]),
        grid=TokenGrid(**fields["grid"]),
        row=AxisMap(**fields["row"]),
        column=AxisMap(**fields["column"]),
        seen=tuple(fields["seen"]),
    )


def from_attribution(attribution: Attribution, embedding: Embedding | None = None) -> Row:
    """All of an attribution but its arrays, and its prompt's embedding; a row of ``attribution`` without its key."""
    text = attribution.text
    return {
        "prompt": attribution.prompt.text,
        "kind": attribution.prompt.kind.value,
        "finding": attribution.prompt.finding,
        "section": attribution.prompt.section,
        "assertion": attribution.prompt.assertion.value if attribution.prompt.assertion else "",
        "similarity": float(attribution.similarity),
        "method": attribution.method,
        "settings": dict(attribution.settings),
        "grid_map": asdict(attribution.image.grid_map),
        "tokens": list(text.tokens),
        "words": list(text.words),
        "word_of_token": list(text.word_of_token),
        "image_capacity_nats": float(attribution.image_trace.capacity_nats),
        "image_seed": attribution.image_trace.seed,
        "text_capacity_nats": float(attribution.text_trace.capacity_nats),
        "text_seed": attribution.text_trace.seed,
        "image_quantity": attribution.image.quantity.value,
        "image_residual": attribution.image_trace.residual,
        "text_quantity": text.quantity.value,
        "text_residual": attribution.text_trace.residual,
        "embedding": as_text(embedding),
    }


def to_attribution(row: Read, arrays: Arrays) -> Attribution:
    """Back from a row of ``attribution`` and the arrays of its image."""
    position = row["position"]

    def trace(side: str) -> SolverTrace:
        loss = tuple(arrays[_name(position, f"{side}_loss")].tolist())
        return SolverTrace(loss, row[f"{side}_capacity_nats"], row[f"{side}_seed"], row[f"{side}_residual"])

    return Attribution(
        prompt=Prompt(
            row["prompt"],
            PromptKind(row["kind"]),
            row["finding"],
            row["section"],
            Assertion(row["assertion"]) if row["assertion"] else None,
        ),
        similarity=row["similarity"],
        image=RelevanceMap(
            arrays[_name(position, "image")], to_grid_map(row["grid_map"]), Quantity(row["image_quantity"])
        ),
        text=TokenRelevance(
            tokens=tuple(row["tokens"]),
            values=arrays[_name(position, "text")],
            words=tuple(row["words"]),
            word_of_token=tuple(row["word_of_token"]),
            quantity=Quantity(row["text_quantity"]),
        ),
        method=row["method"],
        image_trace=trace("image"),
        text_trace=trace("text"),
        settings=row["settings"],
    )


def from_measurement(measurement: Measurement) -> Row:
    """A row of ``measurement`` without its key."""
    row = asdict(measurement) | {"value": float(measurement.value)}
    row["check_name"] = row.pop("check")
    return row


def to_measurement(row: Read) -> Measurement:
    """Back from a row of ``measurement``, or from the measurement in a row of ``finding``."""
    return Measurement(row["check_name"], row["quantity"], row["value"], row["subject"], row["against"])


def from_finding(finding: Finding) -> Row:
    """A row of ``finding`` without its key."""
    return from_measurement(finding.measurement) | {
        "threshold": float(finding.threshold),
        "severity": finding.severity.value,
        "claim": finding.claim,
        "limits": finding.limits,
        "advice": finding.advice,
    }


def to_finding(row: Read) -> Finding:
    """Back from a row of ``finding``."""
    return Finding(
        measurement=to_measurement(row),
        threshold=row["threshold"],
        severity=Severity(row["severity"]),
        claim=row["claim"],
        limits=row["limits"],
        advice=row["advice"],
    )


def to_observation(row: Read) -> Observation:
    """Back from a row of ``observation``."""
    return Observation(row["source"], row["name"], row["value"])


def from_curve(curve: FaithfulnessCurve) -> Row:
    """A row of ``curve`` without its key."""
    return asdict(curve) | {"walk": curve.walk.value}


def to_curve(row: Read) -> FaithfulnessCurve:
    """Back from a row of ``curve``."""
    lines = {name: tuple(row[name]) for name in ("share", "own", "random", "constant", "centre")}
    return FaithfulnessCurve(row["subject"], Walk(row["walk"]), **lines)


def placed(rows: Sequence[Row], **key: str) -> list[Row]:
    """Rows with their key: the codes, and the position in the sequence."""
    return [{**row, **key, "position": position} for position, row in enumerate(rows)]


def arrays_of(audit: ImageAudit) -> Arrays:
    """Every array of an image, by its name in the npz."""
    named: dict[str, NDArray[Any]] = {"shown": audit.reading_copy.shown}
    if audit.reading_copy.values is not None:
        named["values"] = audit.reading_copy.values
    for position, attribution in enumerate(audit.attributions):
        named[_name(position, "image")] = attribution.image.values
        named[_name(position, "text")] = attribution.text.values
        named[_name(position, "image_loss")] = _float64(attribution.image_trace.loss)
        named[_name(position, "text_loss")] = _float64(attribution.text_trace.loss)
    return named


def _float64(loss: Sequence[float]) -> NDArray[np.float64]:
    # An array rather than JSON: a solver that diverged says NaN, which JSON cannot.
    return np.array(loss, dtype=np.float64)


def _name(position: int, what: str) -> str:
    return f"{position:04d}_{what}"


def _pair(first: Any, second: Any) -> tuple[Any, Any] | None:  # noqa: ANN401 - text or numbers, as the column has it
    return None if first is None else (first, second)
