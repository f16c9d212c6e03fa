from medaudit.dicom import dcmtk
from medaudit.dicom.decoders import decoder_table

EXTENDED = "1.2.840.10008.1.2.4.51"
NO_SAMPLE = {"1.2.840.10008.1.2.4.57"} | {f"1.2.840.10008.1.2.4.20{digit}" for digit in "123"}


def test_every_syntax_with_a_sample_is_tried():
    table = {status.uid: status for status in decoder_table()}
    assert len(table) == 16
    for uid, status in table.items():
        if uid in NO_SAMPLE:
            assert status.ok is None
            assert "not tested" in status.hint
        elif uid != EXTENDED or dcmtk.find_dcmdjpeg():
            assert status.ok is True, status
            assert status.plugin
            assert not status.hint


def test_a_syntax_that_fails_says_what_to_install(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda _name: None)
    status = next(status for status in decoder_table() if status.uid == EXTENDED)
    assert status.ok is False
    assert "medaudit[gpl]" in status.hint
