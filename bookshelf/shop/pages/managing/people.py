"""People, for admins: found by handle or e-mail; their groups, suspension and sessions."""

from collections.abc import Mapping, Sequence

import msgspec

from bookshelf.shop.pages.managing.answers import ListedGroup, ListedPerson
from bookshelf.shop.pages.managing.form_parts import ROOT
from bookshelf.shop.pages.shared.example_orders import EXAMPLE_TIME
from bookshelf.site.api_adapters import segment, target
from bookshelf.site.page import Form, Model, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest

PEOPLE = f"{ROOT}/people"
ADMIN = ("accounts:admin",)
NOTICES = {
    "groups-changed": _("The groups are changed."),
    "suspended": _("The account is suspended."),
    "resumed": _("The account can be used again."),
    "sessions-ended": _("All sessions have ended."),
}
_PAGE = 50


class PeopleSearch(msgspec.Struct, frozen=True, kw_only=True):
    """Which people: a whole handle or e-mail address; and from where on."""

    q: str = ""
    after: str = ""


class PersonForm(Form):
    """What to do with an account: `step` is groups or resume; its groups."""

    step: str = ""
    groups: tuple[str, ...] = ()


class PersonAnswerForm(Form):
    """The answer to a question about an account has no fields."""


class OnePersonModel(Model):
    """A person that a question is about."""

    person: ListedPerson


class PeopleModel(Model):
    """A page of people."""

    people: tuple[ListedPerson, ...]
    words: str
    more_address: str


class PersonModel(Model):
    """A person, and all groups; None if they cannot be read."""

    person: ListedPerson
    groups: tuple[ListedGroup, ...] | None


def _no_accounts() -> Page:
    return Page("people_off.html", Model())


async def show_people(request: PageRequest) -> Page:
    """Show the people that match; without accounts, that there are none."""
    if request.caller.account is None:
        return _no_accounts()
    query: PeopleSearch = request.query
    asked = target("/accounts", q=query.q.strip(), limit=_PAGE, after=query.after)
    found = await request.api.get(asked, kind=list[ListedPerson])
    return _list_page(found.body, query.q.strip(), found.cursor)


def _list_page(people: Sequence[ListedPerson], words: str = "", cursor: str | None = None) -> Page:
    more = "" if cursor is None else target(PEOPLE, q=words, after=cursor)
    return Page("people.html", PeopleModel(people=tuple(people), words=words, more_address=more))


def _path(request: PageRequest) -> str:
    return f"/accounts/{segment(request.path['id'])}"


async def show_person(request: PageRequest) -> Page:
    """Show a person."""
    if request.caller.account is None:
        return _no_accounts()
    found = await request.api.get(_path(request), kind=ListedPerson)
    groups = await request.api.try_get("/accounts/groups", kind=list[ListedGroup])
    return _page(found.body, None if groups is None else groups.body)


def _page(person: ListedPerson, groups: Sequence[ListedGroup] | None) -> Page:
    model = PersonModel(person=person, groups=None if groups is None else tuple(groups))
    form = PersonForm(groups=person.groups)
    return Page("person.html", model, title=person.name or person.handle, form=form)


async def change_person(request: PageRequest, form: PersonForm) -> Redirect:
    """Change the groups of an account, or resume it. Raises `ApiProblem`."""
    api, path = request.api, _path(request)
    address = f"{PEOPLE}/{segment(request.path['id'])}"
    match form.step:
        case "groups":
            person: ListedPerson = (await api.get(path, kind=ListedPerson)).body
            had, wanted = set(person.groups), set(form.groups)
            for group in sorted(wanted - had):
                await api.put(f"{path}/groups/{segment(group)}")
            for group in sorted(had - wanted):
                await api.delete(f"{path}/groups/{segment(group)}")
            return Redirect(address, notice="groups-changed")
        case "resume":
            await api.delete(f"{path}/suspended")
            return Redirect(address, notice="resumed")
    return Redirect(address)


async def show_suspension(request: PageRequest) -> Page:
    """Ask whether an account is suspended."""
    return _suspension_page((await request.api.get(_path(request), kind=ListedPerson)).body)


def _suspension_page(person: ListedPerson) -> Page:
    return Page("suspend.html", OnePersonModel(person=person))


async def suspend_person(request: PageRequest, _form: PersonAnswerForm) -> Redirect:
    """Suspend an account. Raises `ApiProblem`."""
    await request.api.put(f"{_path(request)}/suspended")
    return Redirect(f"{PEOPLE}/{segment(request.path['id'])}", notice="suspended")


async def show_ending(request: PageRequest) -> Page:
    """Ask whether all sessions of an account end."""
    return _ending_page((await request.api.get(_path(request), kind=ListedPerson)).body)


def _ending_page(person: ListedPerson) -> Page:
    return Page("end_sessions.html", OnePersonModel(person=person))


async def end_all_sessions(request: PageRequest, _form: PersonAnswerForm) -> Redirect:
    """End all sessions of an account. Raises `ApiProblem`."""
    await request.api.delete(f"{_path(request)}/sessions")
    return Redirect(f"{PEOPLE}/{segment(request.path['id'])}", notice="sessions-ended")


def _person(**fields: object) -> ListedPerson:
    person = ListedPerson(
        id="a-1",
        handle="ann",
        name="Ann Reader",
        email="ann@example.org",
        groups=("reader", "customer"),
        since=EXAMPLE_TIME,
    )
    return msgspec.structs.replace(person, **fields)


def _long() -> ListedPerson:
    name = "Ann Eleonora Wilhelmina Reader-Librarianová " * 4
    email = f"{'ann.reader.' * 5}ann@a-very-long-name-of-a-library.example.org"
    groups = tuple(f"a-group-with-a-long-name-{n}" for n in range(9))
    return _person(id="a-2", handle="ann-from-the-reading-circle-0001", name=name, email=email, groups=groups)


def _examples() -> Mapping[str, Page]:
    bo = _person(id="a-3", handle="bo", name="", email="bo@example.org", suspended=True)
    return {
        "usual": _list_page((_person(), bo)),
        "none": _list_page((), "zed"),
        "long": _list_page((_long(), _person(), bo), "", "next"),
        "off": _no_accounts(),
    }


def _person_examples() -> Mapping[str, Page]:
    groups = [ListedGroup(name) for name in ("reader", "customer", "manager", "admin")]
    more = [ListedGroup(name, "What its members may do, in many words. " * 6) for name in _long().groups]
    return {
        "usual": _page(_person(), groups),
        "suspended": _page(_person(suspended=True), groups),
        "long": _page(_long(), [*groups, *more]),
        "failed": _page(_person(), None),
    }


def _suspension_examples() -> Mapping[str, Page]:
    return {"usual": _suspension_page(_person()), "long": _suspension_page(_long())}


def _ending_examples() -> Mapping[str, Page]:
    return {"usual": _ending_page(_person()), "long": _ending_page(_long())}


PAGES = (
    PageRoute(
        PEOPLE,
        get=show_people,
        title=_("People"),
        params=PeopleSearch,
        section=PEOPLE,
        examples=_examples,
        requires=ADMIN,
    ),
    PageRoute(
        f"{PEOPLE}/{{id}}/suspend",
        get=show_suspension,
        post=suspend_person,
        form=PersonAnswerForm,
        title=_("Suspend the account?"),
        section=PEOPLE,
        examples=_suspension_examples,
        requires=ADMIN,
    ),
    PageRoute(
        f"{PEOPLE}/{{id}}/end-sessions",
        get=show_ending,
        post=end_all_sessions,
        form=PersonAnswerForm,
        title=_("End all sessions?"),
        section=PEOPLE,
        examples=_ending_examples,
        requires=ADMIN,
    ),
    PageRoute(
        f"{PEOPLE}/{{id}}",
        get=show_person,
        post=change_person,
        form=PersonForm,
        title=_("Person"),
        section=PEOPLE,
        examples=_person_examples,
        requires=ADMIN,
    ),
)
