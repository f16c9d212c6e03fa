"""Dark or light, as the server was started."""

import streamlit as st

DARK_PAPER = (22, 28, 34)
"""sRGB behind words, the theme's secondary background: a word of no relevance is bare paper."""

LIGHT_PAPER = (238, 242, 244)


def is_light() -> bool:
    """Whether the server was started light."""
    return bool(st.get_option("theme.base") == "light")


def paper() -> tuple[int, int, int]:
    """What words are shaded over."""
    return LIGHT_PAPER if is_light() else DARK_PAPER
