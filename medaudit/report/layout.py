"""A report layout: one small YAML file that says how the reports look."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from medaudit.errors import LayoutError
from medaudit.report.logo import Logo, read_logo
from medaudit.resources import languages_folder, layouts_folder, shipped
from medaudit.yamlfile import quoted, read_text, read_yaml


class Section(StrEnum):
    """A part of a study report."""

    SUMMARY = "summary"
    PROMPTS = "prompts"
    MEASUREMENTS = "measurements"
    METHOD = "method"
    LIMITS = "limits"
    REVIEW = "review"
    PROVENANCE = "provenance"


class CohortSection(StrEnum):
    """A part of the report of a cohort."""

    SUMMARY = "summary"
    INVENTORY = "inventory"
    FINDINGS = "findings"
    ACROSS = "across"
    PROMPTS = "prompts"
    CHECKS = "checks"
    GROUPS = "groups"
    READERS = "readers"
    LIMITS = "limits"
    METHOD = "method"
    CROSSWALK = "crosswalk"
    STUDIES = "studies"


class Layout(BaseModel):
    """The keys of a layout file; ``reports/layouts/study.yaml`` says what each means."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    page_size: Literal["A4", "Letter"] = "A4"
    institution: Annotated[str, Field(max_length=80)] = ""
    logo: Logo | None = None
    language: str = "en"
    accent: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")] = "#0f5c74"
    map_opacity: Annotated[float, Field(ge=0.1, le=1)] = 0.6
    sections: Annotated[tuple[Section, ...], Field(min_length=1)] = tuple(Section)
    cohort_sections: Annotated[tuple[CohortSection, ...], Field(min_length=1)] = tuple(CohortSection)
    smallest_group: Annotated[int, Field(ge=2)] = 10

    @field_validator("logo", mode="before")
    @classmethod
    def _read_logo(cls, logo: object, info: ValidationInfo) -> Logo | None:
        if logo is None or logo == "":
            return None
        if isinstance(logo, Logo):
            return logo
        if not isinstance(logo, str):
            msg = f"expected the path of a PNG or JPEG file; got {quoted(logo)}"
            raise ValueError(msg)  # noqa: TRY004 - pydantic hears a ValueError
        folder: Path = (info.context or {}).get("folder", Path())
        return read_logo(folder / logo)

    @field_validator("language")
    @classmethod
    def _known(cls, language: str) -> str:
        known = shipped(languages_folder())
        if language not in known:
            msg = f"expected one of {', '.join(known)}; got {quoted(language)}"
            raise ValueError(msg)
        return language

    @field_validator("sections", "cohort_sections")
    @classmethod
    def _each_once(cls, sections: tuple[StrEnum, ...]) -> tuple[StrEnum, ...]:
        if len(set(sections)) != len(sections):
            msg = f"each section may stand once; got {quoted([str(one) for one in sections])}"
            raise ValueError(msg)
        return sections


def find_layout(name: str) -> Layout:
    """Load a layout by the name of a shipped one, or by the path of a ``.yaml`` file.

    Raises
    ------
    LayoutError
        There is no such layout, or :func:`load_layout` refuses it.

    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else layouts_folder() / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(shipped(layouts_folder()))
        msg = f"report layout {name!r}: no such layout; expected one of {known}, or the path of a .yaml file"
        raise LayoutError(msg)
    return load_layout(path)


def with_logo(layout: Layout, path: Path) -> Layout:
    """The layout with another logo; LayoutError where the file is no logo."""
    try:
        return layout.model_copy(update={"logo": read_logo(path)})
    except ValueError as error:
        raise LayoutError(str(error)) from error


def load_layout(path: Path) -> Layout:
    """Read a layout file.

    Raises
    ------
    LayoutError
        The file cannot be read, is no YAML mapping, or a key or value is wrong; the message says
        file, line and key, and what is expected there.

    """
    return read_yaml(path, read_text(path, LayoutError), Layout, LayoutError)
