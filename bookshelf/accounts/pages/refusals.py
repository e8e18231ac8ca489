"""Explains refusals of the API in the words and the language of the person, at the fields of a form."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from bookshelf.site.api_adapters import ApiProblem, FieldFault
from bookshelf.site.form_decoding import FormRefused
from bookshelf.site.page import _
from bookshelf.site.page_request import PageRequest

CONFLICT, INVALID, TOO_MANY = 409, 422, 429
#: What is wrong with a field, by the status and the field of the refusal; "" is the form as a whole.
TEXTS: Mapping[tuple[int, str], str] = {
    (INVALID, "handle"): _(
        "Write 3 to 32 of these: small letters from a to z, digits, dot, underscore, hyphen."
    ),
    (CONFLICT, "handle"): _("Somebody has this handle. Choose another one."),
    (INVALID, "name"): _("Write a name of 1 to 200 characters."),
    (INVALID, "email"): _("Write an e-mail address like ann@example.org."),
    (CONFLICT, "email"): _("There is an account with this address. Sign in with it."),
    (INVALID, "address"): _("Write up to 1000 characters, without control characters."),
    (INVALID, "password"): _(
        "This is guessed too easily, or shorter than 10 characters. Take several words."
    ),
}
#: The same where a person confirms something with the present password.
CONFIRMED: Mapping[tuple[int, str], str] = {
    **TEXTS,
    (INVALID, "password"): _("This is not your present password."),
}
#: The same for the two passwords of a change.
CHANGED: Mapping[tuple[int, str], str] = {
    (INVALID, "old"): CONFIRMED[INVALID, "password"],
    (INVALID, "new"): TEXTS[INVALID, "password"],
}
#: The name of the input of a field, where it is not the same.
_INPUTS = {"old": "old_password", "new": "new_password"}
_GUESSED = _("Too many passwords were wrong. Try again in 15 minutes.")


@contextmanager
def refusals_explained(
    request: PageRequest, texts: Mapping[tuple[int, str], str], too_many: str = _GUESSED
) -> Iterator[None]:
    """Raise `FormRefused` with the text of each field that the API refuses; any other `ApiProblem` stays."""
    try:
        yield
    except ApiProblem as problem:
        raise _explained(request, problem, texts, too_many) from None


@contextmanager
def no_fault(status: int) -> Iterator[None]:
    """End the block if the API answers with this status: what was asked for is so already."""
    try:
        yield
    except ApiProblem as problem:
        if problem.answer.status != status:
            raise


def _explained(
    request: PageRequest, problem: ApiProblem, texts: Mapping[tuple[int, str], str], too_many: str
) -> Exception:
    """Return what a page raises for a refusal: the form with the text of each field, else the problem."""
    status = problem.answer.status
    whole = too_many if status == TOO_MANY else texts.get((status, ""))
    if whole is not None:
        return FormRefused(FieldFault("", request.translate(whole)))
    known = [fault for fault in problem.faults if (status, fault.field) in texts]
    if not known:
        return problem
    return FormRefused(
        *(
            FieldFault(_INPUTS.get(fault.field, fault.field), request.translate(texts[status, fault.field]))
            for fault in known
        )
    )
