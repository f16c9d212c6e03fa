"""The composition root: a pipeline file and an input in, an audited store out."""
