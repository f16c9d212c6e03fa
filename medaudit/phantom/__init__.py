"""Chest radiograph studies whose truth is known: anatomy, physics, findings, report text, and the DICOM files."""
