import pytest

from bookshelf.cqrs.position import Position, parse_position


@pytest.mark.parametrize("text", ["bookshelf/0@42", "a.b-c_d/12@0", "shop/999999999@999999999999999999"])
def test_a_position_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_position(text)) == text


def test_positions_of_one_partition_are_in_the_order_of_the_log() -> None:
    assert parse_position("bookshelf/0@9") < parse_position("bookshelf/0@10")
    assert parse_position("bookshelf/0@9") == Position("bookshelf", 0, 9)


@pytest.mark.parametrize(
    "text",
    [
        *("", "bookshelf", "bookshelf/0", "bookshelf@1", "/0@1", "bookshelf/-1@1", "bookshelf/0@-1"),
        *("Bookshelf/0@1", "bookshelf/0@1 ", "bookshelf/0@1\n", "bookshelf/x@1", "bookshelf/0@1e3"),
        *("bookshelf/0@" + "9" * 19, "b" * 250 + "/0@1", "bookshelf/\u0663@1", "..%2f/0@1"),
    ],
)
def test_an_invalid_position_is_reported_with_its_text(text: str) -> None:
    with pytest.raises(ValueError, match="is not a position; positions look like bookshelf/0@42"):
        parse_position(text)
