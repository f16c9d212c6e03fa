"""Files that lie in a PDF (ISO 32000-1, 7.11.4), which reportlab has no call for."""

from collections.abc import Mapping

from reportlab.pdfbase.pdfdoc import PDFArray, PDFDictionary, PDFName, PDFStream, PDFString
from reportlab.pdfgen.canvas import Canvas


def attach(canvas: Canvas, files: Mapping[str, bytes]) -> None:
    """Put files, by name, into the document of a canvas; once a document."""
    if not files:
        return
    document = canvas._doc  # noqa: SLF001 - the catalogue is reached in no other way
    names: list[object] = []
    for name in sorted(files):  # a name tree is sorted
        content = PDFStream(PDFDictionary({"Type": PDFName("EmbeddedFile")}), files[name])
        stream = document.Reference(content)
        specification = PDFDictionary(
            {
                "Type": PDFName("Filespec"),
                "F": PDFString(name),
                "UF": PDFString(name),
                "AFRelationship": PDFName("Data"),
                "EF": PDFDictionary({"F": stream, "UF": stream}),
            }
        )
        names += [PDFString(name), document.Reference(specification)]
    document.Catalog.Names = PDFDictionary({"EmbeddedFiles": PDFDictionary({"Names": PDFArray(names)})})
