"""The language of a book, given as a code or a name: its tag, its name, and the code it is counted by."""

import re
from functools import cache, lru_cache

from babel import Locale
from babel.core import get_global

_CODE = re.compile(r"[a-z]{2,3}(?:[-_][a-z0-9]{2,8})*", re.IGNORECASE)


@lru_cache(maxsize=1024)
def language_tag(language: str | None) -> str:
    """Return the BCP 47 tag of a code ("eng", "pt-BR") or a name in English, German or itself; or ""."""
    text = (language or "").strip()
    if named := _names().get(text.casefold()):
        return named
    if not _CODE.fullmatch(text):
        return ""
    code, *rest = text.replace("_", "-").lower().split("-")
    known = get_global("language_aliases").get(code, code)
    return "-".join([known, *rest]) if known in Locale("en").languages else ""


def language_name(language: str, shown_in: str) -> str:
    """Return the name of a book's language in the language of the page; the text itself if it has none."""
    tag = language_tag(language)
    return str(Locale(shown_in).languages.get(tag.replace("-", "_"), language)) if tag else language


def language_code(language: str | None) -> str | None:
    """Return the code of all spellings and regions of a language; the text itself if it has none."""
    return language_tag(language).partition("-")[0] or language or None


@cache
def _names() -> dict[str, str]:
    """Return the code of each language by its names."""
    names: dict[str, str] = {}
    for shown_in in ("de", "en"):
        languages = Locale(shown_in).languages
        names |= {name.casefold(): code.replace("_", "-") for code, name in languages.items()}
    return names | _OWN_NAMES


#: Names of languages in themselves.
_OWN_NAMES = {
    "\u4e2d\u6587": "zh",
    "\u65e5\u672c\u8a9e": "ja",
    "\ud55c\uad6d\uc5b4": "ko",
    "\u0440\u0443\u0441\u0441\u043a\u0438\u0439": "ru",
    "\u0443\u043a\u0440\u0430\u0457\u043d\u0441\u044c\u043a\u0430": "uk",
    "\u0627\u0644\u0639\u0631\u0628\u064a\u0629": "ar",
    "\u05e2\u05d1\u05e8\u05d9\u05ea": "he",
    "\u03b5\u03bb\u03bb\u03b7\u03bd\u03b9\u03ba\u03ac": "el",
    "fran\u00e7ais": "fr",
    "espa\u00f1ol": "es",
    "italiano": "it",
    "portugu\u00eas": "pt",
    "nederlands": "nl",
    "polski": "pl",
    "\u010de\u0161tina": "cs",
    "t\u00fcrk\u00e7e": "tr",
    "svenska": "sv",
    "dansk": "da",
    "norsk": "no",
    "suomi": "fi",
}
