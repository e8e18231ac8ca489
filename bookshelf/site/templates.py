"""The Jinja2 environment of each language: escaping, strict variables, filters for dates and numbers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from datetime import UTC, date, datetime, time, tzinfo
from functools import cached_property, lru_cache, partial
from importlib.resources import files
from importlib.resources.abc import Traversable
from io import BytesIO
from typing import Any

from babel import Locale, dates, numbers
from babel.lists import format_list
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from bookshelf.cqrs.phrases import Phrase
from bookshelf.site.api_adapters import segment

#: The locale of each language.
LOCALES = {"en": Locale("en", "GB"), "de": Locale("de", "DE")}
DOMAIN = "messages"
FRAME = "bookshelf.site"
_HALF, _QUARTER, _THREE_QUARTERS = 0.5, 0.25, 0.75
#: Numbers, and days, that each language keeps as they are shown.
_KEPT = 2048
#: From here on numbers beside charts are written in short.
_LARGE = 1_000_000
_FRACTIONS = {0.0: "", _QUARTER: "¼", _HALF: "½", _THREE_QUARTERS: "¾"}
#: The zone of the reader whose page is being rendered.
_zone: ContextVar[tzinfo] = ContextVar("zone", default=UTC)
PartialDay = date | str | None


class Templates:
    """The templates of some packages in one language; those of the first package come first.

    `variables` are names that all templates have.
    """

    def __init__(self, packages: Sequence[str], language: str, variables: Mapping[str, Any]) -> None:
        self.language = language
        self.locale = LOCALES[language]
        self.translations = load_translations(packages, language)
        self._sources = {
            template.name: template
            for package in reversed(packages)
            for template in _html_files(files(package) / "templates")
        }
        self.environment = Environment(
            loader=FunctionLoader(self._source),
            autoescape=True,
            undefined=StrictUndefined,
            extensions=["jinja2.ext.i18n"],
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self.environment.globals |= dict(variables)
        self._known = known_texts(packages)
        install = self.environment.install_gettext_callables  # type: ignore[attr-defined]  # an extension's
        install(self._of_catalogue, self.plural, newstyle=True)
        formats = Formats(self.locale, self.translate)
        self._number = formats.number
        self.environment.filters |= formats.filters
        self.environment.tests["in_catalogue"] = self._is_known

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of all templates."""
        return tuple(sorted(self._sources))

    def _source(self, name: str) -> str | None:
        found = self._sources.get(name)
        return None if found is None else found.read_text(encoding="utf-8")

    def source(self, name: str) -> str:
        """Return the text of a template."""
        return self._sources[name].read_text(encoding="utf-8")

    def translate(self, text: str | Phrase) -> str:
        """Return a text in this language; an empty one stays empty."""
        if isinstance(text, Phrase):
            return text.text(self.translate, self._number)
        return str(self.translations.gettext(text)) if text else ""

    def _of_catalogue(self, text: str | Phrase) -> str:
        """Return a text for templates as HTML with places for values; a text of a reader stays one."""
        if isinstance(text, Phrase):
            text = self.translate(text)
        elif self._is_known(text):
            return self.translate(text)
        return str(escape(text)).replace("%", "%%")

    def _is_known(self, text: str | Phrase) -> bool:
        """Return True if the catalogues have a text, or the template of a phrase."""
        return (text.template if isinstance(text, Phrase) else text) in self._known

    def plural(self, one: str, many: str, count: int) -> str:
        """Return the text for a number of things in this language."""
        return str(self.translations.ngettext(one, many, count))

    def render(self, name: str, values: Mapping[str, Any], zone: tzinfo) -> str:
        """Return a rendered template; times are shown in `zone`."""
        token = _zone.set(zone)
        try:
            return self.environment.get_template(name).render(values)
        finally:
            _zone.reset(token)


def _html_files(folder: Traversable) -> list[Traversable]:
    return [file for file in folder.iterdir() if file.name.endswith(".html")] if folder.is_dir() else []


def load_translations(packages: Sequence[str], language: str) -> NullTranslations:
    """Return the texts of some packages in one language; those of the sources need no catalogue."""
    found = NullTranslations()
    for compiled in _catalogues(packages, language):
        translations = Translations(BytesIO(compiled), domain=DOMAIN)
        if isinstance(found, Translations):
            found.merge(translations)
        else:
            found = translations
    return found


def known_texts(packages: Sequence[str]) -> frozenset[str]:
    """Return the texts that the sources of some packages have: each catalogue has all of them."""
    catalogues = (read_mo(BytesIO(file)) for language in LOCALES for file in _catalogues(packages, language))
    return frozenset(message.id for found in catalogues for message in found if isinstance(message.id, str))


def _catalogues(packages: Sequence[str], language: str) -> Iterator[bytes]:
    """Yield the compiled catalogues of some packages; in a source tree they are read as they are written."""
    for package in packages:
        folder = files(package) / "locale" / language
        if (compiled := folder / f"{DOMAIN}.mo").is_file():
            yield compiled.read_bytes()
        elif (written := folder / f"{DOMAIN}.po").is_file():
            yield compile_catalogue(written.read_bytes())


def compile_catalogue(content: bytes) -> bytes:
    """Return the compiled form of a catalogue (.po)."""
    compiled = BytesIO()
    write_mo(compiled, read_po(BytesIO(content)))
    return compiled.getvalue()


class Formats:
    """Filters that show dates, times, numbers, money and stars in one language."""

    def __init__(self, locale: Locale, translate: Callable[[str], str]) -> None:
        self._locale = locale
        self._translate = translate
        # a page shows the same numbers and days again and again, and Babel takes long for each
        self._decimal = lru_cache(_KEPT)(partial(numbers.format_decimal, locale=locale))
        self._date = lru_cache(_KEPT)(partial(dates.format_date, locale=locale))
        self.filters: Mapping[str, Callable[..., Any]] = {
            "day": self.day,
            "short_day": self.short_day,
            "weekday": self.weekday,
            "month": self.month,
            "moment": self.moment,
            "clock": self.clock,
            "number": self.number,
            "short_number": self.short_number,
            "percent": self.percent,
            "minutes": self.minutes,
            "money": self.money,
            "file_size": self.file_size,
            "star_text": star_text,
            "star_number": self.star_number,
            "together": self.together,
            "lines": lines,
            "urlencode": segment,
            "zone_pair": lambda name: (name, name.replace("_", " ")),
        }

    def day(self, value: PartialDay) -> str:
        """Return a date, or the month or year of a partial one, like 14 March 2025."""
        return self._day(value, {"full": "d MMMM y", "month": "MMMM y"})

    def short_day(self, value: PartialDay) -> str:
        """Return a date or a partial one with a short month, like 14 Mar 2025."""
        return self._day(value, {"full": "d MMM y", "month": "MMM y"})

    def _day(self, value: PartialDay, forms: Mapping[str, str]) -> str:
        match value:
            case None | "":
                return ""
            case datetime():
                shown, kind = value.astimezone(_zone.get()).date(), "full"
            case date():
                shown, kind = value, "full"
            case _:
                parts = [int(part) for part in value[:10].split("-") if part.isdigit()]
                if not parts or len(parts) > 3:  # noqa: PLR2004 (year, month, day)
                    return value
                if len(parts) == 1:
                    return str(parts[0])
                shown = date(parts[0], parts[1], parts[2] if len(parts) > 2 else 1)  # noqa: PLR2004 (see above)
                kind = "full" if len(parts) > 2 else "month"  # noqa: PLR2004 (see above)
        if self._locale.language == "de" and kind == "full":
            return str(self._date(shown, forms[kind].replace("d ", "d. ")))
        return str(self._date(shown, forms[kind]))

    def weekday(self, value: date) -> str:
        """Return a day with its weekday and without its year, like Wednesday 25 November."""
        form = "EEEE, d. MMMM" if self._locale.language == "de" else "EEEE d MMMM"
        return str(self._date(value, form))

    def month(self, value: date) -> str:
        """Return the short name of a month, like Mar."""
        return str(self._date(value, "LLL"))

    def moment(self, value: datetime) -> str:
        """Return a time with its date in the reader's zone, like 14 Mar 2025, 20:31."""
        local = value.astimezone(_zone.get())
        return f"{self.short_day(local.date())}, {self.clock(value)}"

    def clock(self, value: datetime | time) -> str:
        """Return the time of day in the reader's zone, like 20:31."""
        local = value.astimezone(_zone.get()) if isinstance(value, datetime) else value
        return f"{local:%H:%M}"

    def number(self, value: float) -> str:
        """Return a number, like 10,000 or 3.5."""
        return str(self._decimal(value))

    def short_number(self, value: float) -> str:
        """Return a number as it fits beside a chart: 1.5M in place of 1,500,000."""
        if value < _LARGE:
            return self.number(value)
        return str(numbers.format_compact_decimal(value, locale=self._locale, fraction_digits=1))

    def percent(self, value: float) -> str:
        """Return a part of 1 in percent, like 51 %."""
        return f"{self._decimal(round(100 * value))}\N{NO-BREAK SPACE}%"

    def minutes(self, value: int) -> str:
        """Return a number of minutes, like 3 h 10 min."""
        hours, rest = divmod(int(value), 60)
        parts = [f"{self.number(hours)} h"] if hours else []
        return " ".join([*parts, f"{rest} min"] if rest or not hours else parts)

    def money(self, minor: int, currency: str) -> str:
        """Return an amount of minor units, like £19.99."""
        digits = numbers.get_currency_precision(currency)
        return str(numbers.format_currency(minor / 10**digits, currency, locale=self._locale))

    def file_size(self, size: int) -> str:
        """Return a number of bytes, like 1.4 MB."""
        for unit, factor in (("MB", 1_000_000), ("KB", 1000)):
            if size >= factor:
                return f"{self.number(round(size / factor, 1))} {unit}"
        return f"{self.number(size)} B"

    def star_number(self, value: float) -> str:
        """Return a number of stars for screen readers, like 4½."""
        whole, part = int(value), _FRACTIONS.get(value % 1, "")
        return f"{whole or ''}{part}" or "0"

    def together(self, values: Sequence[str]) -> str:
        """Return names as a list in words, like Ann, Ben and Cem."""
        return str(format_list(list(values), locale=self._locale)) if values else ""


def star_text(value: float) -> str:
    """Return stars as signs, like ★★★★½."""
    return "★" * int(value) + _FRACTIONS.get(value % 1, "")


def lines(text: str) -> Markup:
    """Return a text whose line ends are shown."""
    return Markup("<br>").join(text.split("\n"))
