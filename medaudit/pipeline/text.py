"""Report sentences as prompts, from the sources that a pipeline lists."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from medaudit.dicom.negation import assertion_of_term
from medaudit.dicom.plain import PlainRef
from medaudit.dicom.report_sentences import ReportSentence, Section, report_sentences, section_of
from medaudit.dicom.scan import FileRef, Study, is_report
from medaudit.dicom.text import read_report, read_sidecar
from medaudit.errors import InputError, UsageError
from medaudit.pipeline.spec import ReportText
from medaudit.records import Assertion, Prompt, PromptKind

_WEIGHT = {Assertion.AFFIRMED: 1.0, Assertion.UNCERTAIN: 0.5, Assertion.NEGATED: -1.0}


@dataclass(frozen=True, slots=True)
class StudyText:
    """A study's report prompts, the files that they came from, and the files that could not be read.

    ``said`` is what the report says of the terms that are looked up, as in
    :class:`medaudit.records.cohort.Observation`; empty where there is no report.
    """

    prompts: tuple[Prompt, ...] = ()
    said: Mapping[str, float] = field(default_factory=dict)
    used: tuple[FileRef, ...] = ()
    failed: tuple[tuple[FileRef, InputError], ...] = ()


@dataclass(frozen=True, slots=True)
class Sentences:
    """Finds a study's report sentences.

    ``by_study`` is the sidecar: Study Instance UID or Accession Number -> text. ``terms`` are looked up in every
    report, each by the words that name it.
    """

    settings: ReportText
    by_study: Mapping[str, str] = field(default_factory=dict)
    terms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def read(
        cls, settings: ReportText, sidecar: Path | None, terms: Mapping[str, tuple[str, ...]] | None = None
    ) -> "Sentences":
        """Read the sidecar, if the pipeline asks for one.

        Raises
        ------
        UsageError
            The pipeline asks for a sidecar and there is none, or the other way round.
        InputError
            The file is no such table.

        """
        wanted = "sidecar" in settings.sources
        if wanted != (sidecar is not None):
            msg = (
                "report_text.sources lists sidecar: say where it is with --report-text FILE.csv"
                if wanted
                else "--report-text was given, but report_text.sources of the pipeline does not list sidecar"
            )
            raise UsageError(msg)
        return cls(settings, read_sidecar(sidecar) if sidecar else {}, terms or {})

    def of(self, study: Study) -> StudyText:
        """Collect the sentences of a study's structured reports, of the sidecar and of the manifest."""
        texts: list[tuple[Section, str]] = []
        used: list[FileRef] = []
        failed: list[tuple[FileRef, InputError]] = []
        if "structured-report" in self.settings.sources:
            for instance in filter(is_report, study.instances):
                try:
                    report = read_report(instance.ref)
                except InputError as error:
                    failed.append((instance.ref, error))
                    continue
                if report is not None:
                    texts += [(section_of(heading), text) for heading, text in report.sections]
                    used.append(instance.ref)
        texts += [(Section.OTHER, self.by_study[key]) for key in sorted(_keys(study)) if key in self.by_study]
        if "manifest" in self.settings.sources:
            refs = (instance.ref for instance in study.instances)
            texts += [(Section.OTHER, ref.row.report) for ref in refs if isinstance(ref, PlainRef)]
        found = self._sentences(texts)
        return StudyText(self._prompts(found), self._said(found) if texts else {}, tuple(used), tuple(failed))

    def _sentences(self, texts: Iterable[tuple[Section, str]]) -> tuple[ReportSentence, ...]:
        """The sentences of the sections that are asked for, each once."""
        found: dict[str, ReportSentence] = {}
        for section, text in texts:
            for sentence in report_sentences(text, section):
                if sentence.section.value in self.settings.sections:
                    found.setdefault(sentence.text, sentence)
        return tuple(found.values())

    def _prompts(self, sentences: Iterable[ReportSentence]) -> tuple[Prompt, ...]:
        """As many as are wanted."""
        return tuple(
            Prompt(one.text, PromptKind.REPORT, section=one.section.value, assertion=one.assertion)
            for one in list(sentences)[: self.settings.max_sentences]
        )

    def _said(self, sentences: Iterable[ReportSentence]) -> dict[str, float]:
        """What they say of every term together: affirmed before uncertain before denied; 0 where they are silent."""
        texts = [one.text for one in sentences]
        found = {
            name: {assertion_of_term(text, word) for text in texts for word in words}
            for name, words in self.terms.items()
        }
        return {
            name: next((weight for assertion, weight in _WEIGHT.items() if assertion in assertions), 0.0)
            for name, assertions in found.items()
        }

    def unmatched(self, studies: Iterable[Study]) -> int:
        """How many rows of the sidecar belong to none of these studies."""
        known = {key for study in studies for key in _keys(study)}
        return len(set(self.by_study) - known)


def _keys(study: Study) -> set[str]:
    """What a sidecar may call a study by."""
    return {study.uid, *(instance.accession_number for instance in study.instances)} - {""}
