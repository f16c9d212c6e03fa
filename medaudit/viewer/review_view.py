"""The reader's desk on a study: decide, say why, conclude, sign."""

import time
from collections.abc import Callable
from dataclasses import replace

import streamlit as st

from medaudit.errors import MedauditError
from medaudit.records import ImageAudit
from medaudit.records.review import Decision, Meaning, Reason, Review, Target
from medaudit.store.review_store import Status
from medaudit.viewer import access, markup
from medaudit.viewer.access import Session
from medaudit.viewer.desk import Desk, decided, others_of, shows_others, target_at, target_name, target_prompt, targets
from medaudit.viewer.panes_view import show_note
from medaudit.viewer.people import Role

_DECISIONS = (
    (Decision.AGREE, "Agree", "a"),
    (Decision.DISAGREE, "Disagree", "d"),
    (Decision.UNSURE, "Unsure", "u"),
)
_NOBODY = "This role looks and writes nothing."


def open_desk(session: Session, study: str) -> Desk:
    """The session's desk for a study: as it was left in this window, else as it was last saved."""
    kept = st.session_state.get("desk")
    if isinstance(kept, Desk) and (kept.draft.review.study, kept.draft.review.reader) == (study, session.person.reader):
        return kept
    desk = Desk.open(session.reviews, study, session.person.reader)
    st.session_state["desk"] = desk
    return desk


def follow_prompt(desk: Desk, audit: ImageAudit) -> None:
    """Decide on what is about the prompt whose map is shown."""
    desk.target = target_at(audit, desk.review, st.session_state["prompt"])


def begin(desk: Desk, audit: ImageAudit) -> None:
    """Bring decision and prompt together on an image that was just opened; call before the prompt is drawn."""
    if desk.target not in targets(audit):
        follow_prompt(desk, audit)
        _show_prompt(target_prompt(audit, desk.target) if desk.target else None)


def _show_prompt(place: int | None) -> None:
    """Show the map of what is decided on, where it has one."""
    if place is not None:
        st.session_state["prompt"] = place


def show_desk(session: Session, desk: Desk, audit: ImageAudit) -> None:
    """Decisions on an image, the study's conclusion, and the signature."""
    with st.container(key="desk"):
        st.html(markup.section("Your review") + markup.status_line(desk.draft.status, desk.draft.version))
        if not session.person.writes:
            st.html(markup.line(_NOBODY, "ma-note"))
        else:
            if desk.rival is not None:
                _show_rival(desk)
            asked = targets(audit)
            if asked:
                _show_target(desk, audit, asked)
            _show_conclusion(desk)
            _show_signing(session, desk, audit)
        _show_signed(session, desk)


def _show_rival(desk: Desk) -> None:
    st.warning(
        "Another window changed the same part of this review. Nothing was overwritten: what is shown here is yours, "
        "and not saved yet.",
        icon=":material/sync_problem:",
    )
    mine, theirs = st.columns(2)
    mine.button("Keep mine", on_click=desk.keep_mine, key="keep mine", type="primary", width="stretch")
    theirs.button("Take the other", on_click=desk.take_theirs, key="take theirs", width="stretch")


def _show_target(desk: Desk, audit: ImageAudit, asked: tuple[Target, ...]) -> None:
    target = _choose_target(desk, audit, asked)
    answer = desk.review.answer_to(target)
    st.html(markup.target_card(target_name(audit, target)))
    for cell, (decision, name, letter) in zip(st.columns(3, gap="xsmall"), _DECISIONS, strict=True):
        cell.button(
            name,
            key=f"decide {decision.value}",
            type="primary" if answer.decision is decision else "secondary",
            on_click=_change,
            args=(desk, lambda review, decision=decision: decided(review, target, decision)),
            shortcut=letter,
            width="stretch",
        )
    key = f"reason {target.image} {target.subject.value} {target.position}"
    st.session_state[key] = answer.reason
    st.selectbox(
        "Reason",
        [None, *Reason],
        key=key,
        format_func=lambda one: one.value if one else "",
        placeholder="None stated",
        on_change=lambda: _change(desk, _with_reason(target, st.session_state[key])),
    )
    show_note(
        "answer",
        f"{audit.record.study} {key}",
        answer.text,
        lambda text: _change(desk, _with_text(target, text)),
        label="In your words",
        placeholder="Optional. Name no patient.",
    )


def _choose_target(desk: Desk, audit: ImageAudit, asked: tuple[Target, ...]) -> Target:
    """The finding or map that is decided on; with it, its prompt's map is shown."""
    key = f"target of {audit.record.study} {audit.record.image}"
    # Streamlit keeps the functions of every study that was open: they may not hold its pictures.
    decisions = [desk.review.answer_to(one).decision for one in asked]
    names = [
        f"{place}. {decision.value if decision else 'open'}: {target_name(audit, one)}"
        for place, (one, decision) in enumerate(zip(asked, decisions, strict=True), start=1)
    ]
    prompts = {one: target_prompt(audit, one) for one in asked}

    def chosen() -> None:
        desk.target = asked[st.session_state[key]]
        _show_prompt(prompts[desk.target])

    def next_open() -> None:
        desk.target = next(iter(desk.review.open_targets(asked)), current)
        _show_prompt(prompts[desk.target])

    current = desk.target if desk.target in asked else asked[0]
    st.session_state[key] = asked.index(current)
    open_ones = len(desk.review.open_targets(asked))
    label = f"Decide on ({len(asked) - open_ones} of {len(asked)} done on this image)"
    st.selectbox(label, range(len(asked)), key=key, format_func=names.__getitem__, on_change=chosen)
    st.button("Next open decision", key="next open", on_click=next_open, disabled=not open_ones, shortcut="j")
    return current


def _with_reason(target: Target, reason: Reason | None) -> Callable[[Review], Review]:
    return lambda review: review.with_answer(replace(review.answer_to(target), reason=reason))


def _with_text(target: Target, text: str) -> Callable[[Review], Review]:
    return lambda review: review.with_answer(replace(review.answer_to(target), text=text))


def _change(desk: Desk, edit: Callable[[Review], Review]) -> None:
    """Save an edit; a failure is said on the page rather than lost in a callback."""
    try:
        desk.change(edit)
    except MedauditError as error:
        st.session_state["desk problem"] = str(error)


def _show_conclusion(desk: Desk) -> None:
    problem = st.session_state.pop("desk problem", None)
    if problem:
        st.error(markup.markdown(problem), icon=":material/error:")
    show_note(
        "conclusion",
        desk.draft.review.study,
        desk.review.conclusion,
        lambda text: _change(desk, lambda review: replace(review, conclusion=text)),
        label="Conclusion on this study",
        placeholder="What the model's output on this study is worth.",
    )


def _show_signing(session: Session, desk: Desk, audit: ImageAudit) -> None:
    told = st.session_state.pop("signed", None)
    if told:
        st.success(told, icon=":material/verified:")
    if desk.rival is not None or desk.draft.status not in (Status.DRAFT, Status.AMENDING):
        return
    amends = desk.draft.status is Status.AMENDING
    with st.expander("Amend and sign" if amends else "Sign", key="signing"):
        undecided = len(desk.review.open_targets(targets(audit)))
        if undecided:
            st.html(markup.line(f"{undecided} of this image's decisions are still open.", "ma-small"))
        if session.person.credential == "passphrase" and not session.reviews.has_passphrase(session.person.reader):
            st.html(markup.line("No passphrase is set. Run: medaudit review AUDIT_DIR --set-passphrase", "ma-note"))
            return
        if session.person.credential == "login" and not session.person.may_sign(time.time()):
            st.html(markup.line("Log in again to sign: a signature needs a login of the last five minutes.", "ma-note"))
            st.button("Log in again", on_click=st.login, key="login again")
            return
        with st.form("sign", border=False):
            st.text_input("Printed name", key="printed name")
            st.selectbox("Meaning of the signature", list(Meaning), key="meaning", format_func=lambda one: one.value)
            if amends:
                st.text_input("Reason for the amendment", key="amendment")
            if session.person.credential == "passphrase":
                st.text_input("Passphrase", type="password", key="passphrase", autocomplete="off")
            st.form_submit_button("Sign", type="primary", on_click=_sign, args=(session, desk))


def _sign(session: Session, desk: Desk) -> None:
    state, person = st.session_state, session.person
    try:
        if person.credential == "passphrase":
            text = state.pop("passphrase", "")
            if not session.reviews.is_passphrase(person.reader, text):
                state["desk problem"] = "This is not your passphrase. The attempt stands in the journal."
                return
        study = desk.draft.review.study
        signed, entry = session.reviews.sign(
            study,
            person.reader,
            desk.draft.version,
            printed_name=state["printed name"],
            meaning=state["meaning"],
            record_sha256=access.open_store(session.folder).study_digest(study),
            credential_kind=person.credential,
            amendment=state.pop("amendment", "").strip(),
        )
    except MedauditError as error:
        state["desk problem"] = str(error)
        return
    desk.draft = session.reviews.draft(study, person.reader)
    state["signed"] = (
        f"Signed, edition {signed.edition}. Head of the journal: {entry.digest} (entry {entry.number}). "
        "Keep this line where nobody can change it."
    )


def _show_signed(session: Session, desk: Desk) -> None:
    study, reader = desk.draft.review.study, session.person.reader
    signed = session.reviews.signed(study)
    own = [one for one in signed if one.review.reader == reader]
    if own:
        st.html(markup.section("Signed by you") + markup.signed_list(own))
    others = others_of(signed, reader)
    if not others:
        return
    if shows_others(desk.draft.status, reads_all=session.person.role is Role.LEAD):
        st.html(markup.section("Other readers") + markup.signed_list(others))
    else:
        count = len(others)
        st.html(markup.line(f"{count} other reader{'s' * (count > 1)} signed; shown once you have.", "ma-small"))
