"""Long lists in pages."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import streamlit as st

T = TypeVar("T")


def show_pages(lines: Sequence[T], size: int, key: str, show: Callable[[Sequence[T]], object]) -> None:
    """Draw the lines of one page, and below them the choice of the page where there are several.

    ``key`` is where the session keeps the page. A list that got too short for it shows its last page.
    """
    pages = max(1, -(-len(lines) // size))
    page = min(int(st.session_state.get(key, 1)), pages)
    show(lines[(page - 1) * size : page * size])
    if pages > 1:
        st.session_state[key] = page
        with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
            st.number_input(f"Page, of {pages}", 1, pages, key=key, width=150)
