from medaudit.dicom.scan import scan
from medaudit.phantom.cohort import draw_study
from medaudit.phantom.write import identify
from medaudit.pipeline.choose import choose
from medaudit.pipeline.demo import SEED, STUDIES, prepare_demo


def test_the_demos_cohort_has_what_a_newcomer_should_see():
    specs = [draw_study(SEED, index) for index in range(STUDIES)]
    sets = {name for index, spec in enumerate(specs) for name in identify(spec, SEED, index).person.character_set}
    assert sum(bool(spec.devices) for spec in specs) == 2
    assert any(not spec.findings and not spec.devices for spec in specs)
    assert len({finding.kind for spec in specs for finding in spec.findings}) >= 4
    assert {"ISO 2022 IR 87", "ISO_IR 127"} <= sets  # Japanese and Arabic


def test_the_truth_lies_outside_what_is_audited(tmp_path):
    request = prepare_demo(tmp_path / "demo")
    inventory = scan(request.source)
    assert inventory.others == ()
    assert len(inventory.studies) == STUDIES
    assert all(len(choose(study, request.pipeline.spec.images).images) == 1 for study in inventory.studies)
    assert (tmp_path / "demo" / "truth" / "cohort.json").is_file()
    assert not request.resume
