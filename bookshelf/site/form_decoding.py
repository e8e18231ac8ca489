"""Decodes the body of a form to a value of a `Form`, and explains each wrong field in the reader's words."""

import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from tempfile import gettempdir
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import NODEFAULT, inspect

from bookshelf.http.message import Request
from bookshelf.http.multipart import FormLimits, MultipartForm, UploadedFile, is_multipart, read_multipart
from bookshelf.http.problem import Problem
from bookshelf.site.api_adapters import FieldFault
from bookshelf.site.page import Form, _
from bookshelf.site.page_request import Submission, is_password

FormT = TypeVar("FormT", bound=msgspec.Struct)
Translate = Callable[[str], str]
Values = Mapping[str, tuple[str, ...]]
Files = Mapping[str, tuple[UploadedFile, ...]]
NO_FILES: Files = MappingProxyType({})

URLENCODED = "application/x-www-form-urlencoded"
#: Fields in one form.
_MOST_FIELDS = 10_000
_SEQUENCES = (inspect.ListType, inspect.VarTupleType, inspect.SetType, inspect.FrozenSetType)
_COMMA = re.compile(r"[0-9]+,[0-9]+")


@asynccontextmanager
async def read_form(
    request: Request, most: int, files: FormLimits | None = None
) -> AsyncIterator[MultipartForm]:
    """Read a form; its files are kept until the block ends. `files`: their limits, None if it has none.

    Raises `Problem`, `TooLarge`, `BrokenBody`.
    """
    if files is not None and is_multipart(request):
        async with read_multipart(request, Path(gettempdir()), files) as form:
            pairs = [(name, text) for name, texts in form.fields.items() for text in texts]
            yield MultipartForm(group_pairs(pairs), form.files)
    else:
        yield MultipartForm(await _read_texts(request, most), {})


async def _read_texts(request: Request, most: int) -> Values:
    kind = request.headers.get("Content-Type", URLENCODED).partition(";")[0].strip().lower()
    if kind != URLENCODED:
        msg = f"this form is sent as {URLENCODED}"
        raise Problem("media-type", msg)
    content = await request.body.read(most)
    try:
        pairs = parse_qsl(
            content.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError as fault:
        msg = f"the form cannot be read: {fault}"
        raise Problem("malformed", msg) from None
    return group_pairs(pairs)


def group_pairs(pairs: Sequence[tuple[str, str]]) -> Values:
    """Return the values of each name, in order; all line ends become one sign."""
    grouped: dict[str, list[str]] = {}
    for name, text in pairs:
        grouped.setdefault(name, []).append(text.replace("\r\n", "\n"))
    return {name: tuple(texts) for name, texts in grouped.items()}


class FormField(NamedTuple):
    """One field of a form: its name, that of its input, its type, and how an input fills it.

    `read` returns what is meant by a typed text: `typed` of the type's further metadata (`Meta.extra`).
    """

    attribute: str
    name: str
    kind: Any
    default: Any
    about: inspect.Type
    limits: Mapping[str, Any]
    read: Callable[[str], str] | None
    is_sequence: bool
    is_flag: bool
    is_file: bool


@cache
def form_fields(kind: type[msgspec.Struct]) -> tuple[FormField, ...]:
    """Return the fields of a form."""
    struct = inspect.type_info(kind)
    assert isinstance(struct, inspect.StructType)  # noqa: S101 (a Form is a struct)
    kinds = msgspec.structs.fields(kind)
    return tuple(_field(field, declared) for field, declared in zip(struct.fields, kinds, strict=True))


def _field(field: inspect.Field, declared: msgspec.structs.FieldInfo) -> FormField:
    about, limits, more = _plain(field.type)
    return FormField(
        attribute=declared.name,
        name=declared.encode_name,
        kind=declared.type,
        default=declared.default if declared.default_factory is NODEFAULT else declared.default_factory(),
        about=about,
        limits=limits,
        read=more.get("typed"),
        is_sequence=isinstance(about, _SEQUENCES),
        is_flag=isinstance(about, inspect.BoolType),
        is_file=isinstance(about, inspect.DataclassType) and about.cls is UploadedFile,
    )


def _plain(about: inspect.Type) -> tuple[inspect.Type, Mapping[str, Any], Mapping[str, Any]]:
    """Return the type without its metadata and without None, the metadata of its schema, and further ones."""
    limits: dict[str, Any] = {}
    more: dict[str, Any] = {}
    while isinstance(about, inspect.Metadata | inspect.UnionType):
        if isinstance(about, inspect.Metadata):
            limits |= about.extra_json_schema or {}
            more |= about.extra or {}
            about = about.type
            continue
        others = [one for one in about.types if not isinstance(one, inspect.NoneType)]
        about = others[0]
    return about, limits, more


def decode_form(
    kind: type[FormT], values: Values, translate: Translate, files: Files = NO_FILES
) -> tuple[FormT | None, list[FieldFault]]:
    """Return the form; or None and what is wrong with each field."""
    given: dict[str, Any] = {}
    faults: list[FieldFault] = []
    for field in form_fields(kind):
        try:
            value = _file(field, files) if field.is_file else _value(field, values.get(field.name, ()))
        except (msgspec.ValidationError, ValueError) as fault:
            faults.append(FieldFault(field.name, _explain(field, fault, translate)))
            continue
        if value is NODEFAULT:
            faults.append(FieldFault(field.name, translate(_("Fill this in."))))
        elif value is not field.default:
            given[field.attribute] = value
    if faults:
        return None, faults
    return kind(**given), []


def _file(field: FormField, files: Files) -> Any:  # noqa: ANN401 (a file, or the default)
    return next(iter(files.get(field.name, ())), field.default)


def _value(field: FormField, texts: tuple[str, ...]) -> Any:  # noqa: ANN401 (a value of the field's type)
    """Return the value of a field; its default, which may be NODEFAULT, if nothing was typed."""
    if field.is_flag:
        return bool(texts and texts[0])
    if field.is_sequence:
        return msgspec.convert(
            [text for text in texts if text], field.kind, dec_hook=_read_text, strict=False
        )
    text = texts[0] if texts else ""
    text = text if is_password(field.name) else text.strip()
    if not text:
        return field.default
    if field.read is not None:
        text = field.read(text)
    if isinstance(field.about, inspect.FloatType) and _COMMA.fullmatch(text):
        text = text.replace(",", ".")
    return msgspec.convert(text, field.kind, dec_hook=_read_text, strict=False)


def _read_text(kind: type[Any], value: Any) -> Any:  # noqa: ANN401 (a hook of msgspec)
    """Return a value of a type that reads texts itself, by its `from_text`. Raises ValueError."""
    return value if isinstance(value, kind) else kind.from_text(value)


def _explain(field: FormField, fault: Exception, translate: Translate) -> str:
    """Return what a reader can do about a wrong value."""
    if not isinstance(fault, msgspec.ValidationError):
        return str(fault)
    text, values = _advice(field, str(fault))
    return translate(text) % values


def _advice(field: FormField, fault: str) -> tuple[str, Mapping[str, object]]:
    """Return the text for a wrong value, and what is put into it."""
    text, values = _("This value is not possible here."), {}
    match field.about:
        case inspect.IntType(ge=least, le=most) | inspect.FloatType(ge=least, le=most) if (
            least is not None and most is not None
        ):
            text = _("Write a number from %(least)s to %(most)s.")
            values = {"least": f"{least:g}", "most": f"{most:g}"}
        case inspect.IntType():
            text = _("Write a whole number.")
        case inspect.FloatType():
            text = _("Write a number, like 4 or 4.5.")
        case inspect.LiteralType() | inspect.EnumType():
            text = _("Choose one of these.")
        case inspect.DateType():
            text, values = _("Write a date like %(example)s."), {"example": "2024-03-14"}
        case inspect.StrType(max_length=most) if most is not None and "length" in fault:
            text, values = _("Write %(most)s characters at most."), {"most": str(most)}
        case _ if examples := field.limits.get("examples"):
            text, values = _("Write it like %(example)s."), {"example": str(examples[0])}
    return text, values


class FormRefused(Exception):
    """A page function refuses a form: the wrong fields, with the reasons in the reader's language."""

    def __init__(self, *faults: FieldFault) -> None:
        super().__init__("; ".join(fault.detail for fault in faults))
        self.faults = faults


class FormState:
    """A form as a template shows it: its first values, or what was typed, with the errors.

    After a conflict `theirs` has the values that were stored meanwhile.
    """

    def __init__(self, first: Form | None = None, submission: Submission | None = None) -> None:
        self._first = {} if first is None else _texts(first)
        self._sent = submission

    @property
    def failed(self) -> bool:
        """True if the form was sent and not carried out."""
        return self._sent is not None and bool(self._sent.kind or self._sent.faults)

    @property
    def conflict(self) -> bool:
        """True if what the form edits was changed after the form was shown."""
        return self._sent is not None and self._sent.kind == "changed"

    @property
    def detail(self) -> str:
        """What is wrong with the form as a whole."""
        return self._sent.detail if self._sent is not None else ""

    @property
    def faults(self) -> tuple[FieldFault, ...]:
        """The wrong fields, with what is wrong."""
        return self._sent.faults if self._sent is not None else ()

    def values(self, name: str) -> tuple[str, ...]:
        """Return the texts of a field: as typed, else the first ones."""
        if self._sent is not None:
            return self._sent.typed(name)
        return self._first.get(name, ())

    def text(self, name: str) -> str:
        """Return the text of a field: as typed, else the first one."""
        return next(iter(self.values(name)), "")

    def error(self, name: str) -> str:
        """Return what is wrong with a field; empty if nothing is."""
        return next((fault.detail for fault in self.faults if fault.field == name), "")

    def theirs(self, name: str) -> str | None:
        """Return the stored text of a field after a conflict, if it differs from the typed one."""
        stored = ", ".join(self._first.get(name, ()))
        return stored if self.conflict and stored != ", ".join(self.values(name)) else None


def _texts(form: Form) -> dict[str, tuple[str, ...]]:
    """Return the texts that inputs show for the values of a form."""
    built = msgspec.to_builtins(form, enc_hook=str)
    return {name: tuple(map(_text, _items(value))) for name, value in built.items()}


def _items(value: object) -> Sequence[object]:
    if value is None or value is False:
        return ()
    return list(value) if isinstance(value, list | tuple | set | frozenset) else (value,)


def _text(value: object) -> str:
    if value is True:
        return "on"
    return f"{value:g}" if isinstance(value, float) else str(value)
