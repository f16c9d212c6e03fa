"""What a pipeline file says: frozen, validated, unknown keys refused. One class a section of the file."""

import hashlib
import itertools
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from medaudit.errors import UsageError
from medaudit.imaging.transforms import check_transform
from medaudit.records import Prompt, PromptKind, Severity
from medaudit.yamlfile import quoted

PLACEHOLDER = "{finding}"

Texts = tuple[Annotated[str, Field(min_length=1)], ...]


class Section(BaseModel):
    """Base of every section."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Images(Section):
    """Which images of a study are audited.

    A list that is empty lets everything through. ``when_missing`` decides about an image whose header
    lacks the body part or the view that a list asks for; one without a modality is never taken then.
    """

    modalities: Texts = ()
    body_parts: Texts = ()
    views: Texts = ()
    exclude_image_types: Texts = ("LOCALIZER",)
    when_missing: Literal["take", "skip"] = "take"
    frames: Literal["first", "middle", "all"] = "middle"
    min_side: int = Field(default=64, ge=1)
    max_per_study: int = Field(default=4, ge=1)


class Display(Section):
    """How stored values become a picture (VOI policy), and how large the reading copy is."""

    voi: Literal["header", "full-range", "window"] = "header"
    header_window: int = Field(default=0, ge=0)
    center: float | None = None
    width: float | None = Field(default=None, gt=0)
    reading_copy_side: int = Field(default=1024, ge=64, le=8192)

    @model_validator(mode="after")
    def _window_is_given(self) -> Self:
        given = self.center is not None and self.width is not None
        if (self.voi == "window") != given or (self.center is None) != (self.width is None):
            msg = "center and width belong to voi: window, and voi: window needs both"
            raise ValueError(msg)
        return self


class Prompts(Section):
    """What the model is asked: every template with every finding, and controls that no image answers."""

    findings: Texts = Field(min_length=1)
    templates: Texts = (f"a chest radiograph showing {PLACEHOLDER}",)
    negated: Texts = ()
    controls: Texts = ()

    @field_validator("templates", "negated")
    @classmethod
    def _has_placeholder(cls, value: Texts) -> Texts:
        for template in value:
            rest = template.replace(PLACEHOLDER, "")
            if PLACEHOLDER not in template or "{" in rest or "}" in rest:
                msg = f"expected a sentence with {PLACEHOLDER} and no other braces; got {quoted(template)}"
                raise ValueError(msg)
        return value

    def ask(self) -> tuple[Prompt, ...]:
        """Every prompt, findings first, without repetition."""
        asked = [
            Prompt(template.replace(PLACEHOLDER, finding), kind, finding)
            for kind, templates in ((PromptKind.FINDING, self.templates), (PromptKind.NEGATED, self.negated))
            for finding, template in itertools.product(self.findings, templates)
        ]
        asked += [Prompt(text, PromptKind.CONTROL) for text in self.controls]
        first: dict[str, Prompt] = {}
        for prompt in asked:
            first.setdefault(prompt.text, prompt)
        return tuple(first.values())


class ReportText(Section):
    """Where report sentences come from; each becomes a prompt. Free text can identify a patient."""

    sources: tuple[Literal["structured-report", "sidecar"], ...] = ()
    max_sentences: int = Field(default=8, ge=1)


class AttributionChoice(Section):
    """Which method, with which settings."""

    method: str = "m2ib"
    settings: dict[str, int | float | str | bool] = {}

    @model_validator(mode="after")
    def _method_takes_settings(self) -> Self:
        from medaudit.attribution.registry import build_method  # noqa: PLC0415 - imports torch

        _as_value_error(build_method, self.method, self.settings)
        return self


class ThresholdSpec(Section):
    """Beyond which value a measurement becomes a finding, and how severe it is."""

    limit: float = Field(allow_inf_nan=False)
    severity: Severity = Severity.CAUTION


class ReportChoice(Section):
    """Which layout the study PDF has."""

    layout: str = "study"


class PipelineSpec(Section):
    """A whole pipeline file."""

    version: Literal[1]
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    description: str = ""
    images: Images = Images()
    display: Display = Display()
    transforms: tuple[dict[str, Any], ...] = ()
    fit: Literal["model", "crop", "pad", "squash"] = "model"
    prompts: Prompts
    report_text: ReportText = ReportText()
    attribution: AttributionChoice = Field(default_factory=AttributionChoice)
    thresholds: dict[str, ThresholdSpec] = {}
    report: ReportChoice = ReportChoice()

    @field_validator("transforms")
    @classmethod
    def _transforms_are_allowed(cls, value: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        for entry in value:
            _as_value_error(check_transform, entry)
        return value

    @field_validator("thresholds")
    @classmethod
    def _thresholds_are_known(cls, value: dict[str, ThresholdSpec]) -> dict[str, ThresholdSpec]:
        from medaudit.audit.verdict import WORDINGS  # noqa: PLC0415 - the checks come with it

        unknown = sorted(set(value) - set(WORDINGS))
        if unknown:
            msg = f"no check measures {', '.join(unknown)}; known: {', '.join(WORDINGS)}"
            raise ValueError(msg)
        return value

    def digest(self) -> str:
        """sha256 of what the file means: comments, order of keys and spelled-out defaults do not matter."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def _as_value_error(check: Any, *arguments: Any) -> None:  # noqa: ANN401 - any check of a lower layer
    """Pydantic turns a ValueError into a located message; medaudit's own errors are no ValueErrors."""
    try:
        check(*arguments)
    except UsageError as error:
        raise ValueError(str(error)) from error
