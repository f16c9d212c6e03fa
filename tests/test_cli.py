"""The command line as a user meets it: output, messages, exit codes."""

import json
import signal
import subprocess
import sys
import time

import pytest

from medaudit import cli


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a command in this process: (exit code, stdout, stderr)."""

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["medaudit", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    return call


@pytest.fixture
def studies(tmp_path, write_radiograph):
    for seed in range(2):
        write_radiograph(tmp_path / "studies" / f"{seed}.dcm", seed)
    return tmp_path / "studies"


def test_an_audit_writes_a_pdf_for_every_study_and_says_what_it_did(run, studies, pipeline_file, random_clip, tmp_path):
    out = tmp_path / "audit"
    code, printed, _ = run("audit", studies, "--pipeline", pipeline_file, "--model", random_clip, "--out", out)
    assert code == 0
    assert "2 studies audited" in printed
    assert "Files: 2 audited" in printed
    pdfs = sorted((out / "reports").glob("*.pdf"))
    assert [path.name == "cohort.pdf" for path in pdfs] == [False, False, True]
    assert all(path.read_bytes().startswith(b"%PDF-") for path in pdfs)

    # The PDFs are made again from the store alone, to the byte.
    before = {path.name: path.read_bytes() for path in pdfs}
    for path in pdfs:
        path.unlink()
    code, printed, _ = run("report", out, "--json")
    assert code == 0
    assert len(json.loads(printed)["written"]) == 3
    assert {path.name: path.read_bytes() for path in (out / "reports").glob("*.pdf")} == before

    code, printed, _ = run("report", out, "--format", "csv", "--study", pdfs[0].stem)
    assert (code, printed.splitlines()) == (0, [f"1 CSV report in {out / 'reports'}"])
    assert (out / "reports" / f"{pdfs[0].stem}.csv").read_text(encoding="utf-8").startswith("study,image,row,")

    code, _, error = run("audit", studies, "--pipeline", pipeline_file, "--model", random_clip, "--out", out)
    assert code == 2
    assert "--resume" in error


def test_a_broken_file_makes_exit_code_one_and_is_named(run, studies, pipeline_file, random_clip, tmp_path):
    broken = studies / "0.dcm"
    broken.write_bytes(broken.read_bytes()[:-6000])
    arguments = ("--pipeline", pipeline_file, "--model", random_clip, "--out", tmp_path / "audit", "--json")
    code, printed, _ = run("audit", studies, *arguments)
    assert code == 1
    outcome = json.loads(printed)
    assert outcome["fates"] == {"audited": 1, "failed": 1}
    assert outcome["failures"][0]["path"] == "0.dcm"
    assert outcome["failures"][0]["error"] == "DecodeError"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("audit", "nowhere", "--model", "nonsense", "--out", "x"), "neither a folder nor a known name"),
        (("audit", "nowhere", "--model", "pubmedclip", "--out", "x"), "https://huggingface.co/flaviagiammarino"),
        (("audit", "nowhere", "--model", "m", "--out", "x", "--pipeline", "nonsense"), "chest-radiograph"),
        (("audit", "nowhere", "--out", "x"), "--model"),
        (("audit", "nowhere", "--model", "m", "--out", "x", "--limit", "0"), "--limit"),
        (("report", "nowhere"), "holds no audit"),
        (("review", "nowhere", "--no-browser"), "holds no audit"),
        (("pipelines", "validate", "nonsense"), "neither a file nor"),
        (("nonsense",), "nonsense"),
    ],
)
def test_bad_usage_is_exit_code_two_with_a_message(run, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDAUDIT_MODELS", str(tmp_path / "models"))
    code, _, error = run(*arguments)
    assert code == 2
    assert message in error
    assert "Traceback" not in error


def test_pipelines_are_listed_shown_and_validated(run, tmp_path):
    code, printed, _ = run("pipelines", "list", "--json")
    assert code == 0
    assert {"chest-radiograph", "any-image"} <= {entry["name"] for entry in json.loads(printed)}
    code, printed, _ = run("pipelines", "show", "chest-radiograph")
    assert printed.startswith("# Frontal chest radiographs")
    edited = tmp_path / "mine.yaml"
    edited.write_text(printed.replace("fit: model", "fit: stretch"), encoding="utf-8")
    code, _, error = run("pipelines", "validate", edited)
    assert code == 2
    line = 1 + printed[: printed.index("\nfit: model") + 1].count("\n")
    assert f"mine.yaml:{line}: fit:" in error


def test_models_says_what_is_here(run, tmp_path, monkeypatch):
    monkeypatch.setenv("MEDAUDIT_MODELS", str(tmp_path))
    (tmp_path / "plip").mkdir()
    (tmp_path / "plip" / "config.json").write_text("{}")
    code, printed, _ = run("models", "--json")
    assert code == 0
    rows = {row["name"]: row for row in json.loads(printed)}
    assert {name for name, row in rows.items() if row["here"]} == {"phantom-clip", "phantom-clip-drain", "plip"}
    assert {"biomedclip", "pubmedclip", "medsiglip", "chexzero", "unimed-clip", "biovil"} <= rows.keys()


def test_the_doctor_decodes_samples(run):
    code, printed, _ = run("doctor", "--json")
    assert code == 0
    found = json.loads(printed)
    assert found["versions"]["torch"]
    assert {row["uid"]: row["decodes"] for row in found["decoders"]}["1.2.840.10008.1.2.4.90"] is True


def test_version_and_help(run):
    assert run("--version")[1].startswith("medaudit ")
    code, printed, _ = run("--help")
    assert code == 0
    assert "audit" in printed


@pytest.mark.skipif(not hasattr(signal, "SIGINT"), reason="this system has no SIGINT")
def test_an_interrupt_keeps_what_was_finished_and_says_how_to_go_on(
    run, write_radiograph, pipeline_file, random_clip, tmp_path
):
    for seed in range(40):
        write_radiograph(tmp_path / "studies" / f"{seed}.dcm", seed)
    out = tmp_path / "audit"
    arguments = ["audit", tmp_path / "studies", "--pipeline", pipeline_file, "--model", random_clip, "--out", out]
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "medaudit", *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
        # Tests that run in the background ignore the signal, and would hand that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads there
    )
    deadline = time.monotonic() + 120
    while not list((out / "reports").glob("*.pdf")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "--resume" in error
    assert "Traceback" not in error
    code, printed, _ = run(*arguments, "--resume", "--limit", 1, "--json")
    assert code == 0
    assert json.loads(printed)["resumed"] >= 1


def test_the_demo_runs_and_runs_again(run, tmp_path):
    out = tmp_path / "demo"
    code, printed, _ = run("demo", "--out", out)
    assert code == 0
    assert "not for patients" in printed
    assert "6 studies audited" in printed
    assert len(list((out / "reports").glob("*.pdf"))) == 7  # and the cohort's
    code, printed, _ = run("demo", "--out", out)
    assert code == 0
    assert "0 studies audited" in printed
    assert "6 finished earlier" in printed


def test_a_model_is_trained_and_can_be_audited_with(run, write_radiograph, pipeline_file, tmp_path):
    code, printed, _ = run(
        *("phantom", "train", "--studies", 96, "--steps", 1, "--out", tmp_path / "model", "--work", tmp_path / "work")
    )
    assert code == 0
    assert str(tmp_path / "model") in printed
    write_radiograph(tmp_path / "study.dcm", 1)
    arguments = ("--pipeline", pipeline_file, "--model", tmp_path / "model", "--out", tmp_path / "audit", "--json")
    code, printed, _ = run("audit", tmp_path / "study.dcm", *arguments)
    assert code == 0
    assert json.loads(printed)["failures"] == []
    again = ("--recipe", tmp_path / "model" / "recipe.json", "--out", tmp_path / "again", "--work", tmp_path / "work2")
    assert run("phantom", "train", *again)[0] == 0
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("model", "again")]
    assert weights[0] == weights[1]


def test_a_recipe_is_not_trained_beside_options_that_it_says(run, tmp_path):
    file = tmp_path / "recipe.json"
    arguments = ("phantom", "train", "--recipe", file, "--out", tmp_path / "model", "--work", tmp_path / "work")
    code, _, error = run(*arguments)
    assert code == 2
    assert f"{file}: expected the recipe.json of a trained model" in error
    code, _, error = run(*arguments, "--steps", 5)
    assert code == 2
    assert "--steps: cannot be given beside --recipe" in error
    assert not (tmp_path / "work").exists()


def test_a_loss_that_is_none_is_refused_before_any_work(run, tmp_path):
    code, _, error = run(
        *("phantom", "train", "--loss", "hinge", "--out", tmp_path / "model", "--work", tmp_path / "work")
    )
    assert code == 2
    assert "sigmoid, clip, dhn-nce" in error
    assert not (tmp_path / "work").exists()


def test_methods_lists_every_method_with_its_settings(run):
    code, printed, _ = run("methods", "--json")
    rows = {row["name"]: row for row in json.loads(printed)}
    assert code == 0
    assert rows["rise"]["settings"]["masks"] == 2000
    assert rows["rise"]["noise"] is True
    assert rows["m2ib"]["quantity"] == "nats"
    assert "random" in rows
    assert "grad-eclip" in run("methods")[1]


def test_a_passphrase_is_set_and_the_journal_verified(run, tmp_path, monkeypatch):
    from medaudit.records import ModelCard, RunRecord
    from medaudit.store.audit_store import AuditStore

    out = tmp_path / "audit"
    card = ModelCard("none", "none", {}, (8, 8), (2, 2), "cosine")
    record = RunRecord("p", "", "0", "study", card, 0, keeps_identifiers=False, started="", versions={}, environment={})
    AuditStore.create(out, record).close()
    monkeypatch.setattr("typer.prompt", lambda *_, **__: "correct horse")
    code, printed, error = run("review", out, "--set-passphrase", "--reader", "second")
    assert code == 0
    assert "passphrase of second set" in printed
    assert "correct horse" not in printed + error
    code, printed, _ = run("journal", "verify", out)
    assert code == 0
    counted, head = printed.splitlines()
    assert counted == "journal entries: 1, signatures: 0, faults: 0"
    head = head.removeprefix("head: ")
    assert run("journal", "verify", out, "--head", head)[0] == 0
    code, printed, error = run("journal", "verify", out, "--head", "00" * 32)
    assert code == 1
    assert "FAULT: no entry has the head 000000000000" in error
    code, printed, _ = run("journal", "verify", out, "--json")
    assert json.loads(printed) == {"entries": 1, "signatures": 0, "head": head, "faults": []}
    code, _, error = run("journal", "verify", out, "--database", "postgresql://a:secret@host/db")
    assert code == 2
    assert "~/.pgpass" in error
    assert "secret" not in error
