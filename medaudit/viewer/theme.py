"""Dark or light, as the server was started."""

import streamlit as st

from medaudit.figures.curves import Colours, Ink

DARK_PAPER = (22, 28, 34)
"""sRGB behind words, the theme's secondary background: a word of no relevance is bare paper."""

LIGHT_PAPER = (238, 242, 244)

# As in style.css and light.css, and the theme's background: a chart is a picture, which no style sheet reaches.
_DARK_CHART = Colours(
    {Ink.INK: "#e4e9ec", Ink.SOFT: "#9aa7b0", Ink.RULE: "#2a343c", Ink.ACCENT: "#58b7c3"}, paper="#0e1317"
)
_LIGHT_CHART = Colours(
    {Ink.INK: "#1b242a", Ink.SOFT: "#51606a", Ink.RULE: "#cfd8dd", Ink.ACCENT: "#0f6b78"}, paper="#fbfcfc"
)


def is_light() -> bool:
    """Whether the server was started light."""
    return bool(st.get_option("theme.base") == "light")


def paper() -> tuple[int, int, int]:
    """What words are shaded over."""
    return LIGHT_PAPER if is_light() else DARK_PAPER


def chart_colours() -> Colours:
    """What charts are drawn in."""
    return _LIGHT_CHART if is_light() else _DARK_CHART
