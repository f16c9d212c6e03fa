"""RECORDS -> RGB arrays, shared by the report and the viewer."""
