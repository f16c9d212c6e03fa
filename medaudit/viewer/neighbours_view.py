"""On the page of the cohort: of a kind of finding, the studies that have it and those that look most alike to them."""

import streamlit as st

from medaudit.figures.neighbours import NEAREST, Kind, Neighbours, commonest, kind_of, with_kind
from medaudit.figures.wording import NOTHING, count_of, words_of
from medaudit.viewer import access, markup, state

_SHOWN = 10


def show_neighbours(folder: str) -> None:
    """A table of studies with a finding of one kind, and the way to one of them and to those nearest to it.

    Kinds of groups that were found come first, then the commonest.
    """
    found, across = access.neighbours(folder), access.cohort_audit(folder)
    groups = [kind_of(one.measurement) for one in across.findings] if across is not None else []
    common = commonest(found)
    kinds = dict.fromkeys([*(kind for kind in groups if kind in common), *common])
    if not kinds:
        return
    st.html(markup.section("Nearest studies"))
    kind = st.selectbox("Studies with", list(kinds), format_func=_name, key="neighbours of")
    members = with_kind(found, kind)
    st.html(
        markup.plain_table(("Study", "Nearest, with the finding too", "Nearest, without it"), _rows(members, kind), 3)
    )
    more = f"{count_of(len(members) - _SHOWN, 'study')} more below. " if len(members) > _SHOWN else ""
    st.html(
        markup.line(
            f"{more}The {NEAREST} that look most alike to the model: cosine of embeddings less the mean of all, "
            "nearest first. A group is a place to look, not a cause.",
            "ma-small",
        )
    )
    _show_way(members, kind)


def _rows(members: list[Neighbours], kind: Kind) -> list[tuple[str, ...]]:
    shown = members[:_SHOWN]
    return [(one.study, *(", ".join(codes) or NOTHING for codes in one.nearest_by(kind))) for one in shown]


def _show_way(members: list[Neighbours], kind: Kind) -> None:
    """One of the studies and those nearest to it, each a button that opens it."""
    by_code = {one.study: one for one in members}
    code = st.selectbox("Open one of them", list(by_code), key="neighbours of study")
    both = by_code[code].nearest_by(kind)
    for says, codes in (("The study", [code]), ("With the finding too", both[0]), ("Without it", both[1])):
        if codes:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.html(markup.line(says, "ma-small"), width="content")
                for one in codes:
                    st.button(one, key=f"near {says} {one}", type="tertiary", on_click=state.open_study, args=(one,))


def _name(kind: Kind) -> str:
    check, quantity, prompt = kind
    return f"{words_of(check)}, {words_of(quantity)}: {prompt}"
