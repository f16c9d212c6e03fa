"""Checks across studies: what no single study can show. Values in, measurements out; nothing here has labels."""
