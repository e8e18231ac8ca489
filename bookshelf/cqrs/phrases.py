"""Texts of the program with values in them, in English until a page shows them in its reader's language."""

from collections.abc import Callable

import msgspec


class Phrase(msgspec.Struct, frozen=True, omit_defaults=True):
    """A text of the program and its values. `str` makes the English text of it.

    `template` is the English text with a place for each value, like {name}; it is found in the catalogues of
    pages. A number is written as it is in the language, several texts are joined by commas, and a value that
    is a phrase is translated, too. A text without values may have any signs.
    """

    template: str
    values: "tuple[tuple[str, Phrase | str | int | float | tuple[str, ...]], ...]" = ()

    def __str__(self) -> str:
        """Return the text in English."""
        return self.text(str, _number)

    def text(self, translate: Callable[[str], str], number: Callable[[float], str]) -> str:
        """Return the text in a language; `translate` has its templates, and `number` writes its numbers."""

        def shown(value: "Phrase | str | float | tuple[str, ...]") -> str:
            match value:
                case Phrase():
                    return value.text(translate, number)
                case tuple():
                    return ", ".join(value)
                case str():
                    return value
            return number(value)

        template = translate(self.template)
        if not self.values:
            return template
        return template.format_map({name: shown(value) for name, value in self.values})

    def with_values(self, **values: "Phrase | str | float | tuple[str, ...]") -> "Phrase":
        """Return the phrase with other values in some of its places."""
        return Phrase(self.template, tuple((dict(self.values) | values).items()))


def phrase(template: str, /, **values: "Phrase | str | float | tuple[str, ...]") -> Phrase:
    """Return a phrase; `make messages` finds its template, a literal, for the catalogues."""
    return Phrase(template, tuple(values.items()))


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"
