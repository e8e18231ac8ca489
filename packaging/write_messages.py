"""Writes the catalogues of all languages from the texts in modules and templates: `make messages`.

New texts are added without a translation, which a test reports; texts that are no longer used are removed.
"""

from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
#: The packages with catalogues, and the folder whose modules have the texts of each.
PACKAGES = {
    "bookshelf/site": "bookshelf/site",
    "bookshelf/shelf/pages": "bookshelf/shelf",
    "bookshelf/accounts/pages": "bookshelf/accounts",
    "bookshelf/shop/pages/shared": "bookshelf/shop/pages/shared",
    "bookshelf/shop/pages/customer": "bookshelf/shop/pages/customer",
    "bookshelf/shop/pages/managing": "bookshelf/shop/pages/managing",
    "bookshelf/photos/pages": "bookshelf/photos/pages",
    "bookshelf/cluster/pages": "bookshelf/cluster/pages",
}
LANGUAGES = ("de",)
#: The extraction method of templates.
_TEMPLATES = "jinja2.ext:babel_extract"
_KEYWORDS = {
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "translate": None,
    "plural": (1, 2),
    "phrase": None,
}
_OPTIONS = {"trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}


def template_of(package: str) -> Catalog:
    """Return the texts of the modules and templates of a package's catalogue, without translations."""
    found = Catalog(charset="utf-8")
    for path in sorted((ROOT / PACKAGES[package]).rglob("*.py")):
        for _, message, _, _ in extract("python", BytesIO(path.read_bytes()), _KEYWORDS):
            found.add(message)
    for path in sorted((ROOT / package / "templates").glob("*.html")):
        for _, message, _, _ in extract(_TEMPLATES, BytesIO(path.read_bytes()), _KEYWORDS, (), _OPTIONS):
            found.add(message)
    return found


def catalogue(package: str, language: str) -> bytes:
    """Return the text of a catalogue with all present texts, each with its translation if there is one."""
    path = _path(package, language)
    known = read_po(BytesIO(path.read_bytes())) if path.exists() else Catalog()
    made = Catalog(locale=language, charset="utf-8", header_comment="", fuzzy=False)
    for message in template_of(package):
        if message.id:
            old = known.get(message.id)
            made.add(message.id, old.string if old is not None else message.string)
    written = BytesIO()
    write_po(written, made, width=100, no_location=True, sort_output=True, omit_header=True)
    return _HEADER + written.getvalue()


_HEADER = b"""msgid ""
msgstr ""
"Language: de\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


def _path(package: str, language: str) -> Path:
    return ROOT / package / "locale" / language / "messages.po"


def main() -> None:
    """Write each catalogue that is not as it should be, and name it."""
    for name in PACKAGES:
        for language in LANGUAGES:
            path = _path(name, language)
            text = catalogue(name, language)
            if not path.exists() or path.read_bytes() != text:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(text)
                print(path.relative_to(ROOT))  # noqa: T201 (a command)


if __name__ == "__main__":
    main()
