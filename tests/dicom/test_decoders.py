from dataclasses import replace

import pytest
from pydicom.uid import UID

from medaudit.dicom import dcmtk, decoders
from medaudit.dicom.decoders import decoder_table
from medaudit.dicom.read import read_image

EXTENDED = "1.2.840.10008.1.2.4.51"


def test_every_syntax_is_tried():
    table = {status.uid: status for status in decoder_table()}
    assert len(table) == 16
    for uid, status in table.items():
        if uid != EXTENDED or dcmtk.find_dcmdjpeg():
            assert status.ok is True, status
            assert status.plugin
            assert not status.hint


def test_a_syntax_that_fails_says_what_to_install(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda _name: None)
    status = next(status for status in decoder_table() if status.uid == EXTENDED)
    assert status.ok is False
    assert "medaudit[gpl]" in status.hint


@pytest.mark.parametrize("uid", list(decoders._MADE))
def test_a_decoder_that_gives_other_numbers_does_not_count(monkeypatch, uid):
    def off(path):
        image = read_image(path)
        return replace(image, stored=image.stored + 2)

    monkeypatch.setattr(decoders, "read_image", off)
    assert decoders._status(UID(uid), "").ok is False
