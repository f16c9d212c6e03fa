"""One file a check; a check returns measurements only, never a verdict."""
