"""STORE -> Streamlit. The only package that knows streamlit."""
