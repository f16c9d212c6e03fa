"""STORE -> PDF. The only package that knows reportlab."""
