"""Pipeline files: find one by name or path, read it, validate it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from medaudit.errors import PipelineError
from medaudit.pipeline.spec import CheckDepth, PipelineSpec
from medaudit.resources import pipelines_folder, shipped
from medaudit.yamlfile import read_text, read_yaml

CHECK_DEPTHS: tuple[str, ...] = get_args(CheckDepth)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A validated pipeline, and the text that it was read from."""

    spec: PipelineSpec
    yaml: str
    path: Path


def with_checks(pipeline: Pipeline, depth: str | None) -> Pipeline:
    """The same pipeline, its checks of another depth; None leaves it as it is.

    Raises
    ------
    PipelineError
        No such depth.

    """
    if depth is None:
        return pipeline
    if depth not in CHECK_DEPTHS:
        msg = f"checks: expected one of {', '.join(CHECK_DEPTHS)}; got {depth!r}"
        raise PipelineError(msg)
    return replace(pipeline, spec=pipeline.spec.model_copy(update={"checks": depth}))


def find_pipeline(name_or_path: str) -> Path:
    """Path of a shipped pipeline by name, or of a file.

    Raises
    ------
    PipelineError
        There is neither.

    """
    shipped_path = pipelines_folder() / f"{name_or_path}.yaml"
    path = Path(name_or_path).expanduser()
    if name_or_path in shipped(pipelines_folder()):
        return shipped_path
    if path.is_file():
        return path
    names = ", ".join(shipped(pipelines_folder()))
    msg = f"pipeline {name_or_path!r}: neither a file nor one of the shipped pipelines ({names})"
    raise PipelineError(msg)


def load_pipeline(name_or_path: str) -> Pipeline:
    """Read and validate a pipeline.

    Raises
    ------
    PipelineError
        It does not exist, is not UTF-8 YAML, or says something that is not allowed; the message gives
        file, line and key of every mistake.

    """
    path = find_pipeline(name_or_path)
    text = read_text(path, PipelineError)
    return Pipeline(read_yaml(path, text, PipelineSpec, PipelineError), text, path)
