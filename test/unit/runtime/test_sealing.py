"""What is sealed in a request, and opened in an answer or for a view."""

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar

import msgspec
import pytest
from msgspec import UNSET, Meta, UnsetType
from support.fixed_infrastructure import FixedClock

from bookshelf.cqrs.message import SEALED, Event, SealedText, opened, sealed, sealed_fields
from bookshelf.keyring.keyring import Keyring
from bookshelf.keyring.memory import MemoryKeyTable
from bookshelf.keyring.port import KeyDestroyed, KeyringFault, SealBroken
from bookshelf.runtime.sealing import FORGOTTEN, ApiSeals, Seals, members_of

ANN, BEN = "a-ann", 'a-"ben"|\\x'


class NoteBody(msgspec.Struct, frozen=True):
    """A body with personal texts, and one that is not."""

    title: str
    notes: Annotated[str, Meta(max_length=40), sealed("notes")] | UnsetType | None = UNSET
    text: Annotated[str, sealed("review")] | None = None


class NoteTaken(Event, frozen=True):
    """An event with a personal text."""

    TYPE: ClassVar[str] = "test.note-taken.v1"
    notes: Annotated[str, sealed("notes")] | None = None


@pytest.fixture
def keyring() -> Keyring:
    return Keyring(MemoryKeyTable(), b"secret", FixedClock().now)


@pytest.fixture
def seals(keyring: Keyring) -> Seals:
    return Seals(keyring)


@pytest.fixture
def api(seals: Seals) -> ApiSeals:
    return ApiSeals(seals, members_of(NoteBody))


def answer(**members: Any) -> bytes:  # noqa: ANN401 (JSON)
    return msgspec.json.encode(members)


def read(body: bytes) -> Any:  # noqa: ANN401 (JSON)
    return msgspec.json.decode(body)


def test_sealed_fields_are_found_in_unions() -> None:
    assert sealed_fields(NoteBody) == {"notes": "notes", "text": "review"}
    assert members_of(NoteBody, NoteTaken) == {
        "notes": frozenset({"notes"}),
        "text": frozenset({"review"}),
    }


async def test_only_given_personal_texts_are_sealed(seals: Seals, api: ApiSeals) -> None:
    body = await seals.seal(NoteBody(title="Dune", text="good"), ANN)
    assert (body.title, body.notes) == ("Dune", UNSET)
    assert body.text is not None
    assert body.text.startswith(SEALED)
    assert read(await api.open(msgspec.json.encode(body), ANN)) == {"title": "Dune", "text": "good"}
    assert (await seals.seal(NoteBody(title="Dune", notes=None), ANN)).notes is None


@pytest.mark.parametrize("person", [ANN, BEN])
async def test_equal_texts_of_a_person_are_equal_when_sealed(seals: Seals, person: str) -> None:
    body = NoteBody(title="Dune", notes="mine")
    assert await seals.seal(body, person) == await seals.seal(body, person)
    assert await seals.seal(body, person) != await seals.seal(body, "another")


async def test_nothing_is_sealed_without_a_person_or_a_keyring(seals: Seals) -> None:
    body = NoteBody(title="Dune", notes="mine")
    assert await seals.seal(body, None) is body
    assert await Seals().seal(body, ANN) is body
    assert (await Seals().hash_of(NoteBody, ANN))("plain") == "plain"


async def test_the_hash_of_a_content_with_personal_texts_is_keyed(seals: Seals) -> None:
    hashes = [(await seals.hash_of(NoteBody, person))("plain") for person in (ANN, ANN, BEN, None)]
    assert hashes[0] == hashes[1] != hashes[2]
    assert hashes[3] == "plain"


async def test_the_texts_of_an_answer_are_opened_at_any_depth(seals: Seals, api: ApiSeals) -> None:
    said = 'a "quoted" \\ text\n with \u2028 and "\\u0002" in it'
    body = await seals.seal(NoteBody(title="Dune", notes=said, text=said), BEN)
    content = answer(items=[{"deep": body}, {"title": "plain"}])
    opened_body = read(await api.open(content))
    assert opened_body["items"][0]["deep"] == {"title": "Dune", "notes": said, "text": said}


async def test_an_answer_without_sealed_texts_is_returned_as_it_is(api: ApiSeals) -> None:
    content = answer(notes='"notes":"\\u0002x"')
    assert await api.open(content) is content


async def test_a_destroyed_key_makes_a_text_forgotten(seals: Seals, api: ApiSeals, keyring: Keyring) -> None:
    content = msgspec.json.encode(await seals.seal(NoteBody(title="Dune", notes="mine"), ANN))
    await seals.forget(ANN)
    for opening in (api, ApiSeals(Seals(keyring), api.fields)):
        assert read(await opening.open(content))["notes"] == FORGOTTEN
    with pytest.raises(KeyDestroyed):
        await seals.seal(NoteBody(title="Dune", notes="again"), ANN)


async def test_a_key_that_another_process_destroyed_is_found_out(
    seals: Seals, api: ApiSeals, keyring: Keyring
) -> None:
    content = msgspec.json.encode(await seals.seal(NoteBody(title="Dune", notes="mine"), ANN))
    await keyring.destroy(ANN)
    erasure = seals.erasure
    await seals.refresh()
    await seals.erased(erasure)
    assert read(await api.open(content))["notes"] == FORGOTTEN


@pytest.mark.parametrize(
    ("member", "person"), [("title", None), ("review", ANN), ("notes", BEN)], ids=["moved", "alias", "person"]
)
async def test_a_moved_text_is_refused(seals: Seals, api: ApiSeals, member: str, person: str | None) -> None:
    body = await seals.seal(NoteBody(title="Dune", notes="mine"), ANN)
    with pytest.raises(SealBroken):
        await api.open(answer(**{member: body.notes}), person)


async def test_a_text_outside_of_an_object_is_refused(seals: Seals, api: ApiSeals) -> None:
    body = await seals.seal(NoteBody(title="Dune", notes="mine"), ANN)
    with pytest.raises(SealBroken):
        await api.open(msgspec.json.encode([body.notes]))


async def test_without_its_keyring_a_sealed_text_is_no_answer(seals: Seals) -> None:
    content = msgspec.json.encode(await seals.seal(NoteBody(title="Dune", notes="mine"), ANN))
    with pytest.raises(KeyringFault, match="accounts"):
        await ApiSeals().open(content)
    with pytest.raises(KeyringFault, match="backup"):
        await ApiSeals(Seals(Keyring(MemoryKeyTable(), b"secret", FixedClock().now))).open(content)


async def test_a_view_gets_the_plain_texts_of_an_event(seals: Seals) -> None:
    body = await seals.seal(NoteBody(title="Dune", notes="mine"), ANN)
    assert isinstance(body.notes, str)
    event = NoteTaken(notes=body.notes)

    async def notes_opened(values: Iterable[bytes]) -> str | None:
        return (await seals.opener(values)).opened(event).notes

    given = await notes_opened([msgspec.json.encode(event)])
    assert isinstance(given, SealedText)
    assert (given, opened(given)) == (body.notes, "mine")
    assert opened("plain") == "plain"
    with pytest.raises(KeyringFault):
        await notes_opened([])
    await seals.forget(ANN)
    forgotten = await notes_opened([msgspec.json.encode(event)])
    assert isinstance(forgotten, SealedText)
    assert opened(forgotten) == ""


async def test_handlers_seal_and_open_single_texts(seals: Seals) -> None:
    sealed_text = (await seals.cipher(ANN)).seal("email", "ann@example.org")
    assert await seals.open(sealed_text, "email") == "ann@example.org"
    assert await seals.open("plain", "email") == "plain"
    with pytest.raises(SealBroken):
        await seals.open(sealed_text, "handle")


async def test_a_secret_is_read_once_until_it_is_destroyed_elsewhere(seals: Seals, keyring: Keyring) -> None:
    secret = await seals.secret("claims")
    assert await keyring.find("claims") == secret == await seals.secret("claims")
    await keyring.destroy("claims")
    assert await seals.secret("claims") == secret
    await seals.refresh()
    with pytest.raises(KeyDestroyed):
        await seals.secret("claims")
