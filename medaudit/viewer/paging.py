"""Long lists in pages."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import streamlit as st

T = TypeVar("T")


def show_pages(lines: Sequence[T], size: int, name: str, show: Callable[[Sequence[T]], object]) -> None:
    """Draw the lines of one page, and below them the choice of the page where there are several.

    ``name`` names the list. A list that got shorter or longer begins again at its first page.
    """
    pages = max(1, -(-len(lines) // size))
    key = f"page of {len(lines)} {name}"
    page = int(st.session_state.get(key, 1))
    show(lines[(page - 1) * size : page * size])
    if pages > 1:
        with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
            st.number_input(f"Page, of {pages}", 1, pages, key=key, width=150)
