"""Pipeline files: find one by name or path, read it, validate it."""

from dataclasses import dataclass
from pathlib import Path

from medaudit.errors import PipelineError
from medaudit.pipeline.spec import PipelineSpec
from medaudit.resources import pipelines_folder, shipped
from medaudit.yamlfile import read_text, read_yaml


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A validated pipeline, and the text that it was read from."""

    spec: PipelineSpec
    yaml: str
    path: Path


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
