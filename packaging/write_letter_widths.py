"""Writes bookshelf/covers/letter_widths.py: the widths of the letters of the title font.

A browser measures each letter at 1,000 pixels. Needs playwright and chromium. Usage:

    .venv/bin/python packaging/write_letter_widths.py
"""

import base64
import json
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
FONTS = ("literata-latin.woff2", "literata-latin-ext.woff2")
TARGET = ROOT / "bookshelf/covers/letter_widths.py"
#: Latin letters and the signs of their texts.
_RANGES = ((0x20, 0x180), (0x218, 0x21C), (0x2010, 0x2027), (0x20AC, 0x20AD), (0x2122, 0x2123))
_HEADER = '''# ruff: noqa: RUF001
"""The widths of the letters of Literata 600, in thousandths of an em.

packaging/write_letter_widths.py writes this file from the fonts that the site sends.
"""

#: Width -> the letters that have it.
_BY_WIDTH = {
'''
_FOOTER = """}
WIDTHS = {letter: width for width, letters in _BY_WIDTH.items() for letter in letters}
"""
# A letter is in the fonts if its width does not depend on the font behind them.
_MEASURE = """async ([fonts, ranges]) => {
    for (const [index, font] of fonts.entries()) {
        const face = new FontFace(`Measured${index}`, `url(data:font/woff2;base64,${font})`);
        document.fonts.add(await face.load());
    }
    const families = fonts.map((_, index) => `Measured${index}`).join();
    const context = document.createElement('canvas').getContext('2d');
    const widths = {};
    const codes = ranges.flatMap(([first, end]) => Array.from({length: end - first}, (_, i) => first + i));
    for (const letter of codes.map((code) => String.fromCodePoint(code))) {
        if (letter !== ' ' && /[\\p{M}\\p{C}\\p{Z}]/u.test(letter)) continue;
        const behind = ['monospace', 'serif', 'sans-serif'].map((generic) => {
            context.font = `1000px ${families}, ${generic}`;
            return context.measureText(letter).width;
        });
        if (Math.max(...behind) === Math.min(...behind)) widths[letter] = Math.round(behind[0]);
    }
    return widths;
}"""


def measure(page: Page, folder: Path) -> dict[str, int]:
    """Return the width of each letter that the fonts in a folder have, measured on a page of a browser."""
    fonts = [base64.b64encode((folder / name).read_bytes()).decode() for name in FONTS]
    widths: dict[str, int] = page.evaluate(_MEASURE, [fonts, _RANGES])
    return widths


def render(widths: dict[str, int]) -> str:
    """Return the text of the module."""
    by_width: dict[int, str] = {}
    for letter, width in sorted(widths.items()):
        by_width[width] = by_width.get(width, "") + letter
    lines = (f"    {width}: {_quoted(by_width[width])},\n" for width in sorted(by_width))
    return _HEADER + "".join(lines) + _FOOTER


def _quoted(letters: str) -> str:
    return f"'{letters}'" if '"' in letters else json.dumps(letters, ensure_ascii=False)


if __name__ == "__main__":
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        measured = measure(browser.new_page(), ROOT / "bookshelf/site/static/fonts")
        browser.close()
    TARGET.write_text(render(measured), encoding="utf-8")
