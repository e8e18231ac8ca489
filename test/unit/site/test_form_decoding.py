"""Forms: texts become values, and each wrong field is explained."""

from datetime import date
from typing import Annotated, Literal

import pytest
from msgspec import Meta

from bookshelf.http.message import request
from bookshelf.http.multipart import FormLimits, UploadedFile
from bookshelf.http.problem import Problem
from bookshelf.site.form_decoding import FormState, decode_form, form_fields, read_form
from bookshelf.site.page import Form
from bookshelf.site.page_request import Submission


class Upload(Form):
    """A form with a file."""

    picture: UploadedFile | None = None
    name: str = ""


async def test_a_file_is_a_field_of_its_form() -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nDune\r\n'
        b'--x\r\nContent-Disposition: form-data; name="picture"; filename="a.png"\r\n\r\nbytes\r\n--x--\r\n'
    )
    sent = request("POST", "/", body, Content_Type="multipart/form-data; boundary=x")
    async with read_form(sent, 1 << 20, FormLimits()) as form:
        read, faults = decode_form(Upload, form.fields, same, form.files)
        assert (faults, read and read.name) == ([], "Dune")
        assert read is not None
        assert read.picture is not None
        assert (read.picture.name, read.picture.path.read_bytes()) == ("a.png", b"bytes")
    assert not read.picture.path.exists()


class Entry(Form):
    """A form with a field of each kind."""

    name: str
    pages: Annotated[int, Meta(ge=1, le=5000)] | None = None
    stars: float | None = None
    day: date | None = None
    kind: Literal["a", "b"] = "a"
    tags: tuple[str, ...] = ()
    flag: bool = False
    code: Annotated[str, Meta(pattern=r"^[a-z]+$", examples=["abc"])] | None = None
    note: Annotated[str, Meta(max_length=5)] = ""


def same(text: str) -> str:
    return text


def test_texts_become_values() -> None:
    values = {
        "name": (" Dune ",),
        "pages": ("412",),
        "stars": ("4,5",),
        "day": ("2024-03-14",),
        "kind": ("b",),
        "tags": ("one", "", "two"),
        "flag": ("on",),
        "code": ("abc",),
    }
    form, faults = decode_form(Entry, values, same)
    assert faults == []
    assert form == Entry(
        name="Dune",
        pages=412,
        stars=4.5,
        day=date(2024, 3, 14),
        kind="b",
        tags=("one", "two"),
        flag=True,
        code="abc",
    )


def test_an_empty_input_is_the_default() -> None:
    form, faults = decode_form(Entry, {"name": ("Dune",), "pages": ("",), "kind": ("",)}, same)
    assert faults == []
    assert form == Entry(name="Dune")


@pytest.mark.parametrize(
    ("field", "text", "advice"),
    [
        ("name", " ", "Fill this in."),
        ("pages", "many", "Write a number from 1 to 5000."),
        ("pages", "0", "Write a number from 1 to 5000."),
        ("stars", "good", "Write a number, like 4 or 4.5."),
        ("day", "yesterday", "Write a date like 2024-03-14."),
        ("kind", "c", "Choose one of these."),
        ("code", "ABC", "Write it like abc."),
        ("note", "too long", "Write 5 characters at most."),
    ],
)
def test_a_wrong_field_is_explained(field: str, text: str, advice: str) -> None:
    _, faults = decode_form(Entry, {"name": ("Dune",), field: (text,)}, same)
    assert faults == [(field, advice)]


def test_a_failed_form_shows_what_was_typed_and_what_is_stored() -> None:
    sent = Submission(values={"name": ("mine",)}, kind="changed")
    state = FormState(Entry(name="theirs"), sent)
    assert (state.text("name"), state.theirs("name")) == ("mine", "theirs")
    assert FormState(Entry(name="first")).text("name") == "first"


def test_the_fields_of_a_form_are_found_once() -> None:
    assert form_fields(Entry) is form_fields(Entry)


@pytest.mark.parametrize(
    ("kind", "content", "problem"),
    [
        ("application/json", b"{}", "media-type"),
        ("application/x-www-form-urlencoded", b"\xff", "malformed"),
        ("application/x-www-form-urlencoded", b"a=1&" * 10_001, "malformed"),
    ],
)
async def test_a_body_that_is_no_form_is_refused(kind: str, content: bytes, problem: str) -> None:
    with pytest.raises(Problem) as refused:
        async with read_form(request("POST", "/", content, Content_Type=kind), 1 << 20):
            pass
    assert refused.value.kind == problem
