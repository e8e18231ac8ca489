import pytest

from bookshelf.shelf.library_files.text import many_lines, one_line, plain


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("one<br/>two<BR>three<br />four", "one\ntwo\nthree\nfour"),
        ("<p>one</p><p>two</p>", "one\n\ntwo\n\n"),
        ('see <a href="https://example.org/?a=b">this</a>', "see this"),
        ("<b>bold</b>, <em class='x'>leaning</em>", "bold, leaning"),
        ("Tom &amp; Jerry &lt;3 &eacute;", "Tom & Jerry <3 é"),
        ("a < b and c > d, <3", "a < b and c > d, <3"),
        ("<spoiler>he dies</spoiler>", "he dies"),
        ("I <heart> it", "I <heart> it"),
    ],
)
def test_html_becomes_the_text_that_a_browser_shows(markup: str, text: str) -> None:
    assert plain(markup) == text


def test_spaces_are_folded_in_a_line_unless_it_is_our_own() -> None:
    assert one_line("  The   Waves\t", exact=False) == "The Waves"
    assert one_line("  The   Waves ", exact=True) == "  The   Waves "


def test_lines_and_tabs_stay_in_a_text_and_other_controls_do_not() -> None:
    assert many_lines("a\r\nb\rc\td\x00e\x85f", exact=False, markup=False) == "a\nb\nc\td e f"
