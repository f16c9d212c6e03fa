"""FILE -> DicomImage. The only package that knows pydicom, and the only one that sees identifiers."""
