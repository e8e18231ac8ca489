"""People, for admins: found by handle or e-mail; their groups, suspension and sessions."""

from collections.abc import Mapping, Sequence

import msgspec

from bookshelf.shop.pages.managing.answers import ListedGroup, ListedPerson
from bookshelf.shop.pages.managing.form_parts import EXAMPLE_TIME, ROOT
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
    """What to do with an account: `step` is groups, suspend, resume or end; its groups."""

    step: str = ""
    groups: tuple[str, ...] = ()


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
    """Change the groups of an account, suspend or resume it, or end its sessions. Raises `ApiProblem`."""
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
        case "suspend":
            await api.put(f"{path}/suspended")
            return Redirect(address, notice="suspended")
        case "resume":
            await api.delete(f"{path}/suspended")
            return Redirect(address, notice="resumed")
        case "end":
            await api.delete(f"{path}/sessions")
            return Redirect(address, notice="sessions-ended")
    return Redirect(address)


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
