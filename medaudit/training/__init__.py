"""Training of the bundled model on phantoms: a small CLIP that learns what the phantom knows."""
