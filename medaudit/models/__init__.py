"""ModelInput and prompt -> embeddings, through two towers. The only package that knows transformers."""
