import pytest

from medaudit.errors import PipelineError
from medaudit.pipeline.load import load_pipeline, with_checks
from medaudit.records import PromptKind
from medaudit.resources import pipelines_folder, shipped

MINIMAL = """\
version: 1
name: tiny
title: Tiny
prompts:
  findings: [fluid]
"""


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "tiny.yaml"
        path.write_text(text, encoding="utf-8")
        return load_pipeline(str(path))

    return write


@pytest.mark.parametrize("name", shipped(pipelines_folder()))
def test_every_shipped_pipeline_is_valid_and_named_as_its_file(name):
    spec = load_pipeline(name).spec
    assert spec.name == name
    kinds = {prompt.kind for prompt in spec.prompts.ask()}
    assert kinds == {PromptKind.FINDING, PromptKind.NEGATED, PromptKind.CONTROL}


def test_prompts_are_templates_times_findings_without_repetition(written):
    spec = written(
        MINIMAL.replace(
            "[fluid]",
            "[fluid, air]\n  templates: ['a {finding}', 'b {finding}']\n"
            "  negated: ['no {finding}']\n  controls: [x, x, a air]",
        )
    ).spec
    assert [prompt.text for prompt in spec.prompts.ask()] == [
        "a fluid", "b fluid", "a air", "b air", "no fluid", "no air", "x"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "line", "key", "what"),
    [
        ("colour: blue\n", 6, "colour", "no such key; expected one of version, name, title"),
        ("images:\n  modality: [CR]\n", 7, "images.modality", "no such key; expected one of modalities, body_parts"),
        ("display: {voi: window}\n", 6, "display", "voi: window needs both"),
        ("display: {voi: header, center: 3}\n", 6, "display", "center and width"),
        ("fit: stretch\n", 6, "fit", "'pad'"),
        ("transforms:\n- {_target_: Flip}\n- {_target_: os.system}\n", 6, "transforms", "not allowed"),
        ("transforms: [{_target_: Resize, spatial_size: $exit()}]\n", 6, "transforms", "expression"),
        ("attribution: {method: magic}\n", 6, "attribution", "known: m2ib"),
        ("attribution:\n  settings: {layer: 9}\n", 6, "attribution", "m2ib has no layer"),
        ("thresholds:\n  luck: {limit: 1}\n", 6, "thresholds", "no check measures luck"),
        (
            "thresholds:\n  negation.absolute_margin: {limit: low}\n",
            7,
            "negation.absolute_margin.limit",
            "valid number, unable to parse string as a number; got 'low'",
        ),
        ("thresholds:\n  negation.absolute_margin: {limit: .inf}\n", 7, "absolute_margin.limit", "finite number"),
        ("checks: thorough\n", 6, "checks", "'fast'"),
        ("report_text: {sources: [email]}\n", 6, "report_text.sources.0", "structured-report"),
        ("name: twice\n", 6, "name", "appears twice; the first is on line 2"),
        ("images: &a {}\ndisplay: *a\n", 6, "", "anchors and aliases"),
        ("images: !!python/object/apply:os.system [id]\n", 6, "", "tags are not read"),
        ("images: [\n", 7, "", "not valid YAML"),
    ],
)
def test_a_mistake_is_shown_with_file_line_and_key(written, change, line, key, what):
    with pytest.raises(PipelineError) as caught:
        written(MINIMAL + change)
    message = str(caught.value)
    assert "tiny.yaml" in message
    assert f":{line}:" in message or f"line {line}:" in message, message
    assert key in message
    assert any(part in message for part in what.split("|")), message


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (MINIMAL.replace("version: 1", "version: 2"), "version"),
        (MINIMAL.replace("name: tiny", "name: ../etc"), "name"),
        (MINIMAL.replace("title: Tiny\n", ""), "title: this key is required"),
        (MINIMAL.replace("[fluid]", "[]"), "prompts.findings"),
        (MINIMAL + "  templates: [no place]\n", "{finding}"),
        (MINIMAL + "  paraphrases: [no place]\n", "{finding}"),
        (MINIMAL + "  left: 'left {finding}'\n", "left and right belong together"),
        (MINIMAL + "  left: 'left {finding}'\n  right: 'right {finding}'\n  sided: [air]\n", "some of the findings"),
        (MINIMAL + "  templates: ['{finding} {0.__class__}']\n", "no other braces"),
        (MINIMAL + f"  templates: ['{'x' * 500}']\n", f"got '{'x' * 58}\u2026"),
        ("", "version: this key is required"),
    ],
)
def test_what_a_pipeline_must_say(written, text, what):
    with pytest.raises(PipelineError) as caught:
        written(text)
    assert what in str(caught.value)


def test_every_mistake_is_shown_at_once(written):
    with pytest.raises(PipelineError) as caught:
        written(MINIMAL + "colour: blue\nshape: round\n")
    assert "colour" in str(caught.value)
    assert "shape" in str(caught.value)


def test_sentences_that_are_only_scored_are_those_of_sides_and_of_other_words(written):
    prompts = written(
        MINIMAL.replace("[fluid]", "[fluid, air]\n  templates: ['a {finding}']\n  paraphrases: ['b {finding}']")
        + "  left: 'left {finding}'\n  right: 'right {finding}'\n  sided: [air]\n"
    ).spec.prompts
    assert prompts.sides() == {"air": ("left air", "right air")}
    assert prompts.ways_to_say() == {"fluid": ("a fluid", "b fluid"), "air": ("a air", "b air")}
    assert prompts.scored() == ("left air", "right air", "a fluid", "b fluid", "a air", "b air")
    assert [prompt.text for prompt in prompts.ask()] == ["a fluid", "a air"]


def test_the_command_line_may_ask_for_another_depth_of_checks(written):
    pipeline = written(MINIMAL)
    assert with_checks(pipeline, None) is pipeline
    deeper = with_checks(pipeline, "full")
    assert (pipeline.spec.checks, deeper.spec.checks) == ("fast", "full")
    assert deeper.spec.digest() != pipeline.spec.digest()
    with pytest.raises(PipelineError, match="maps, fast, full"):
        with_checks(pipeline, "thorough")


def test_an_unknown_name_lists_the_shipped_pipelines():
    with pytest.raises(PipelineError, match="chest-radiograph"):
        load_pipeline("nonsense")


def test_the_digest_is_that_of_the_meaning(written):
    one = written(MINIMAL).spec.digest()
    assert written("# a comment\n" + MINIMAL + "fit: model\n").spec.digest() == one
    assert written(MINIMAL + "fit: pad\n").spec.digest() != one
