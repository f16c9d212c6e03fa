"""The house keeps its shape: layers, light imports, documentation that does not drift."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from importlinter.cli import lint_imports

import medaudit.errors
from medaudit import cli
from medaudit.audit.verdict import WORDINGS
from medaudit.pipeline.spec import PipelineSpec, Section

ROOT = Path(__file__).parent.parent
PAGES = [path.relative_to(ROOT) for folder in ("docs", "benchmarks") for path in (ROOT / folder).glob("*.md")]
HEAVY = ("torch", "monai", "transformers", "pydicom", "medaudit.models", "medaudit.imaging", "medaudit.dicom")


def test_imports_point_downward(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml")) == 0


@pytest.mark.parametrize(
    "module",
    ["medaudit", "medaudit.cli", "medaudit.store.audit_store", "medaudit.report.write", "medaudit.viewer.panels"],
)
def test_what_reads_the_store_loads_neither_torch_nor_monai(module):
    code = f"import sys, {module}; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def commands() -> list[str]:
    group = typer.main.get_command(cli.app)
    names = []
    for name, command in group.commands.items():
        names += [f"{name} {sub}" for sub in getattr(command, "commands", {})] or [name]
    return names


@pytest.mark.parametrize("command", commands())
def test_every_command_is_in_the_readme(command):
    assert f"medaudit {command}" in (ROOT / "README.md").read_text(encoding="utf-8")


def keys(section: type[Section], prefix: str = "") -> list[str]:
    found = []
    for name, field in section.model_fields.items():
        found.append(prefix + name)
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            found += keys(kind, f"{prefix}{name}.")
    return found


@pytest.mark.parametrize("key", keys(PipelineSpec))
def test_every_pipeline_key_is_documented(key):
    assert f"`{key}`" in (ROOT / "docs" / "pipelines.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(WORDINGS))
def test_every_threshold_is_documented(name):
    assert f"`{name}`" in (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")


def test_every_error_stands_in_the_tree():
    for name, value in vars(medaudit.errors).items():
        if isinstance(value, type) and issubclass(value, (Exception, Warning)):
            assert re.search(rf"\b{name}\b", medaudit.errors.__doc__), name


@pytest.mark.parametrize("script", [path.name for path in sorted((ROOT / "benchmarks").glob("*.py"))])
def test_every_benchmark_is_listed(script):
    assert f"`{script}`" in (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")


def anchors(text: str) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    plain = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.+)$", plain, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", *sorted(str(p) for p in PAGES)])
def test_every_link_leads_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        linked = (ROOT / page).parent / path if path else ROOT / page
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked.read_text(encoding="utf-8")), target


def test_the_constraints_name_every_dependency():
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in (ROOT / "constraints.txt").read_text().split()}
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = text[text.index("dependencies = [") : text.index("[project.optional-dependencies]")]
    for name in re.findall(r'^  "([A-Za-z0-9-]+)', block, flags=re.MULTILINE):
        assert name.lower() in pinned, name


def test_the_readmes_python_runs_and_prints_what_it_says(tmp_path, monkeypatch, capsys):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    code, output = re.search(r"```python\n(.*?)```\n+```text\n(.*?)```", readme, flags=re.DOTALL).groups()
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102 - our own README
    printed = capsys.readouterr().out.split()
    for own, stated in zip(printed, output.split(), strict=True):
        # Another processor rounds otherwise, and ten steps of Adam carry that a little way.
        assert own == stated or float(own) == pytest.approx(float(stated), rel=0.05)
