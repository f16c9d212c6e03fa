"""AuditStore: an audit folder, ``audit.sqlite`` for what is asked for and ``arrays/`` for what is drawn."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

import sqlalchemy as sa

from medaudit.errors import StoreError
from medaudit.records.cohort import CohortAudit
from medaudit.records.finding import Severity
from medaudit.records.image import ImageRecord
from medaudit.records.provenance import FileFate, FileRecord, RunRecord
from medaudit.records.study import ImageAudit, StudyAudit, StudyRecord
from medaudit.store import rows, schema
from medaudit.store.arrays import array_path, fingerprint, read_arrays, write_arrays
from medaudit.store.cohort_rows import (
    CohortMaterial,
    as_embedding,
    read_cohort_audit,
    read_material,
    write_cohort_audit,
)
from medaudit.store.database import refusing, revision, sqlite_engine, upgrade
from medaudit.store.digest import audit_digest, study_digest
from medaudit.store.placed import CohortRows, read_cohort
from medaudit.store.worklist import (
    Facets,
    Search,
    StudySummary,
    count_severities,
    find_studies,
    read_element,
    read_facets,
    read_worklist,
)

_DATABASE = "audit.sqlite"
_OF_IMAGE = (
    schema.image_element, schema.attribution, schema.measurement, schema.finding, schema.observation, schema.curve,
)  # fmt: skip


class AuditStore:
    """Everything that survives a run.

    A study is written once and whole: its arrays first, then all its rows in one transaction, so a
    kill at any instant leaves it there or not there. One process writes; any number read meanwhile.
    Close it, or use it as a context manager.

    Parameters
    ----------
    folder
        The audit folder. Use :meth:`create` or :meth:`open`, which check it first.
    engine
        The database in it.

    """

    def __init__(self, folder: Path, engine: sa.Engine) -> None:
        self.folder = folder
        self._engine = engine

    @classmethod
    def create(cls, folder: Path, run: RunRecord) -> Self:
        """Start an audit in a folder, made if need be for its owner's eyes only.

        Raises
        ------
        StoreError
            The folder already holds an audit, or cannot be written.

        """
        if cls.exists(folder):
            msg = f"{_name(folder)} already holds an audit; go on with it (--resume), or choose another folder"
            raise StoreError(msg)
        with refusing(f"{_name(folder)}: the audit cannot be created"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Under another name until the run is in it: a kill leaves no half-made audit behind.
            new = folder / f"{_DATABASE}.new"
            for suffix in ("", "-wal", "-shm"):
                new.with_name(new.name + suffix).unlink(missing_ok=True)
            engine = sqlite_engine(new)
            try:
                upgrade(engine)
                with engine.begin() as connection:
                    connection.execute(sa.insert(schema.run), rows.from_run(run))
            finally:
                engine.dispose()
            new.replace(folder / _DATABASE)
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the audit in a folder; one of an older medaudit is upgraded.

        Raises
        ------
        StoreError
            There is none, it is damaged, or a newer medaudit made it.

        """
        if not cls.exists(folder):
            msg = (
                f"{_name(folder)} holds no audit ({_DATABASE} is missing); give the folder that `medaudit audit` wrote"
            )
            raise StoreError(msg)
        engine = sqlite_engine(folder / _DATABASE)
        try:
            with refusing(f"{_name(folder)}: {_DATABASE} cannot be opened"):
                if revision(engine) != schema.REVISIONS[-1]:
                    upgrade(engine)
        except StoreError:
            engine.dispose()
            raise
        return cls(folder, engine)

    @staticmethod
    def exists(folder: Path) -> bool:
        """Whether a folder holds an audit."""
        return (folder / _DATABASE).is_file()

    def close(self) -> None:
        """Let go of the database; the write-ahead log is folded into it."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def run(self) -> RunRecord:
        """The run that made this audit."""
        with self._reading() as connection:
            row = connection.execute(sa.select(schema.run)).mappings().one()
        return rows.to_run(row)

    def save_files(self, files: Iterable[FileRecord]) -> None:
        """Write what became of files, each in the place of an earlier row with its code; one transaction."""
        with refusing("files cannot be written"), self._engine.begin() as connection:
            _write_files(connection, files)

    def save_study(self, audit: StudyAudit, files: Iterable[FileRecord]) -> None:
        """Write a study and what became of its files: arrays first, then every row in one transaction.

        Raises
        ------
        StoreError
            The study is finished already, names an image twice or another study's image, has a code
            that is not fit for a file name, or cannot be written.

        """
        study = audit.record.study
        paths = self._new_paths(audit)
        with refusing(f"study {study} cannot be written"):
            fingerprints = []
            for path, image in zip(paths, audit.images, strict=True):
                arrays = rows.arrays_of(image)
                write_arrays(path, arrays)
                fingerprints.append(fingerprint(arrays))
            with self._engine.begin() as connection:
                # Rows are there only if array files were lost, see finished(): then the study is written anew.
                connection.execute(sa.delete(schema.study).where(schema.study.c.study == study))
                _write_study(connection, audit, fingerprints)
                _write_files(connection, files)

    def finished(self) -> frozenset[str]:
        """Codes of the studies that are complete: their rows and every array file are there."""
        return self._complete(sa.true())

    def worklist(self) -> tuple[StudySummary, ...]:
        """Every study in short, gravest finding first, then by code; reads no arrays."""
        with self._reading() as connection:
            return read_worklist(connection)

    def find(self, search: Search) -> tuple[str, ...]:
        """Codes of the studies that a search keeps, in its order."""
        with self._reading() as connection:
            return find_studies(connection, search)

    def summaries(self, codes: Sequence[str]) -> tuple[StudySummary, ...]:
        """Some studies in short, in the order of their codes."""
        with self._reading() as connection:
            return read_worklist(connection, codes)

    def facets(self) -> Facets:
        """What a search can be narrowed by."""
        with self._reading() as connection:
            return read_facets(connection)

    def severity_counts(self) -> Mapping[Severity | None, int]:
        """How many studies have which gravest severity, gravest first, then None; zeros included."""
        with self._reading() as connection:
            return count_severities(connection)

    def cohort(self) -> CohortRows:
        """Every score, measurement and finding of all studies; reads no arrays."""
        with self._reading() as connection:
            return read_cohort(connection)

    def cohort_material(self) -> CohortMaterial:
        """What the checks across studies compare beside :meth:`cohort`; reads no arrays."""
        with self._reading() as connection:
            return read_material(connection)

    def save_cohort_audit(self, audit: CohortAudit) -> None:
        """Write what was measured over all studies in the place of an earlier one; one transaction."""
        with refusing("what was measured over all studies cannot be written"), self._engine.begin() as connection:
            write_cohort_audit(connection, audit)

    def cohort_audit(self) -> CohortAudit | None:
        """What was measured over all studies; None before the end of the first run."""
        with self._reading() as connection:
            return read_cohort_audit(connection)

    def element(self, keyword: str) -> Mapping[str, str]:
        """The value of an element by study: the study's own, else that of its first image."""
        with self._reading() as connection:
            return read_element(connection, keyword)

    def study_record(self, study: str) -> StudyRecord:
        """The study itself: its code and elements.

        Raises
        ------
        StoreError
            The audit has no such study.

        """
        found = sa.select(schema.study.c.study).where(schema.study.c.study == study)
        with self._reading() as connection:
            if connection.execute(found).first() is None:
                raise StoreError(_no_such("study", study))
            elements = rows.to_elements(_of(connection, schema.study_element, study))
        return StudyRecord(study, elements)

    def images(self, study: str) -> tuple[ImageRecord, ...]:
        """The images of a study in the order in which they were audited; reads no arrays."""
        with self._reading() as connection:
            return tuple(
                rows.to_image_record(row, rows.to_elements(_of(connection, schema.image_element, study, row["image"])))
                for row in _of(connection, schema.image, study)
            )

    def image(self, study: str, image: str) -> ImageAudit:
        """One image with its arrays.

        Raises
        ------
        StoreError
            The audit has no such image, or its array file is missing or damaged.

        """
        with self._reading() as connection:
            found = _of(connection, schema.image, study, image)
            if not found:
                raise StoreError(_no_such("image", f"{image} in study {study}"))
            elements, attributions, measurements, findings, observations, curves = (
                _of(connection, table, study, image) for table in _OF_IMAGE
            )
        row = found[0]
        arrays = read_arrays(array_path(self.folder, study, image), row["arrays_sha256"], study, image)
        return ImageAudit(
            record=rows.to_image_record(row, rows.to_elements(elements)),
            reading_copy=rows.to_reading_copy(row, arrays),
            grid_map=rows.to_grid_map(row["grid_map"]),
            attributions=tuple(rows.to_attribution(attribution, arrays) for attribution in attributions),
            measurements=tuple(rows.to_measurement(measurement) for measurement in measurements),
            findings=tuple(rows.to_finding(finding) for finding in findings),
            observations=tuple(rows.to_observation(observation) for observation in observations),
            embedding=as_embedding(row["embedding"]),
            sentences={
                one["prompt"]: vector for one in attributions if (vector := as_embedding(one["embedding"])) is not None
            },
            curves=tuple(rows.to_curve(curve) for curve in curves),
        )

    def same_picture(self, picture: ImageRecord) -> tuple[str, str] | None:
        """(study, image) of the first image with these very stored pixels; None where the audit has none.

        Two audits have codes of their own: that two images are the same picture, only their pixels say.
        """
        column = schema.image.c
        same = (column.pixel_sha256 == picture.pixel_sha256, column.frame == picture.frame)
        size = (column.rows == picture.rows, column.columns == picture.columns)
        query = sa.select(column.study, column.image).where(*same, *size).order_by(column.study, column.position)
        with self._reading() as connection:
            found = connection.execute(query).first()
        return None if found is None else (found.study, found.image)

    def study(self, code: str) -> StudyAudit:
        """A study with everything in it, equal to what was saved.

        Raises
        ------
        StoreError
            The audit has no such study, or one of its array files is missing or damaged.

        """
        record = self.study_record(code)
        with self._reading() as connection:
            seconds = connection.execute(
                sa.select(schema.study.c.seconds).where(schema.study.c.study == code)
            ).scalar_one()
            images = [row["image"] for row in _of(connection, schema.image, code)]
        return StudyAudit(record, tuple(self.image(code, image) for image in images), seconds)

    def files(self, fate: FileFate | None = None) -> tuple[FileRecord, ...]:
        """What became of every input file, or the files of one fate, by code."""
        query = sa.select(schema.file).order_by(schema.file.c.code)
        if fate is not None:
            query = query.where(schema.file.c.fate == fate.value)
        with self._reading() as connection:
            return tuple(rows.to_file(row) for row in connection.execute(query).mappings())

    def digest(self) -> str:
        """sha256 of what the audit found, without its times; see :func:`medaudit.store.digest.audit_digest`."""
        with self._reading() as connection:
            return audit_digest(connection, self.folder)

    def study_digest(self, study: str) -> str:
        """sha256 of one audited study; see :func:`medaudit.store.digest.study_digest`."""
        self.study_record(study)
        with self._reading() as connection:
            return study_digest(connection, study)

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with refusing(f"{_DATABASE} cannot be read"), self._engine.begin() as connection:
            yield connection

    def _complete(self, which: sa.ColumnElement[bool]) -> frozenset[str]:
        studies = sa.select(schema.study.c.study).where(which)
        images = sa.select(schema.image.c.study, schema.image.c.image).join(schema.study).where(which)
        with self._reading() as connection:
            codes = frozenset(connection.execute(studies).scalars())
            places = connection.execute(images).all()
        return codes - {study for study, image in places if not array_path(self.folder, study, image).is_file()}

    def _new_paths(self, audit: StudyAudit) -> tuple[Path, ...]:
        """Where the arrays of a study that is not there yet will lie."""
        study = audit.record.study
        codes = [image.record.image for image in audit.images]
        if len(set(codes)) != len(codes) or any(image.record.study != study for image in audit.images):
            msg = f"study {study}: expected images of this study, each with a code of its own"
            raise StoreError(msg)
        if self._complete(schema.study.c.study == study):
            msg = f"study {study} is in this audit already; a result is written once"
            raise StoreError(msg)
        return tuple(array_path(self.folder, study, code) for code in codes)


def _write_study(connection: sa.Connection, audit: StudyAudit, fingerprints: Sequence[str]) -> None:
    study = audit.record.study
    connection.execute(sa.insert(schema.study), {"study": study, "seconds": float(audit.seconds)})
    _insert(connection, schema.study_element, rows.from_elements(audit.record.elements, study=study))
    for position, (image, arrays_sha256) in enumerate(zip(audit.images, fingerprints, strict=True)):
        key = {"study": study, "image": image.record.image}
        _insert(connection, schema.image, [rows.from_image(image, position, arrays_sha256)])
        _insert(connection, schema.image_element, rows.from_elements(image.record.elements, **key))
        asked = [rows.from_attribution(one, image.sentences.get(one.prompt.text)) for one in image.attributions]
        _insert(connection, schema.attribution, rows.placed(asked, **key))
        _insert(connection, schema.measurement, rows.placed([*map(rows.from_measurement, image.measurements)], **key))
        _insert(connection, schema.finding, rows.placed([*map(rows.from_finding, image.findings)], **key))
        _insert(connection, schema.observation, rows.placed([asdict(one) for one in image.observations], **key))
        _insert(connection, schema.curve, rows.placed([*map(rows.from_curve, image.curves)], **key))


def _write_files(connection: sa.Connection, files: Iterable[FileRecord]) -> None:
    by_code = {file.code: rows.from_file(file) for file in files}
    if by_code:
        earlier = sa.delete(schema.file).where(schema.file.c.code == sa.bindparam("earlier"))
        connection.execute(earlier, [{"earlier": code} for code in by_code])
    _insert(connection, schema.file, [*by_code.values()])


def _insert(connection: sa.Connection, table: sa.Table, values: Sequence[rows.Row]) -> None:
    if values:
        connection.execute(sa.insert(table), values)


def _of(connection: sa.Connection, table: sa.Table, study: str, image: str | None = None) -> Sequence[sa.RowMapping]:
    """Rows of a study, or of one of its images, in their order."""
    query = sa.select(table).where(table.c.study == study).order_by(table.c.position)
    if image is not None:
        query = query.where(table.c.image == image)
    return connection.execute(query).mappings().all()


def _name(folder: Path) -> str:
    return folder.resolve().name


def _no_such(what: str, which: str) -> str:
    return f"this audit has no {what} {which}; the worklist names the studies that it has"
