"""The form of stars: one of the halves, or a number typed exactly."""

from bookshelf.shelf.field_types import Stars
from bookshelf.site.page import Form


class StarsForm(Form):
    """Stars: one of the halves, or a number typed exactly. Nothing clears them."""

    stars: Stars | None = None
    exactly: Stars | None = None


def halves_or_exactly(stars: float | None) -> tuple[float | None, float | None]:
    """Return the values of the two fields for the present stars."""
    if stars is None:
        return None, None
    return (None, stars) if (2 * stars) % 1 else (float(stars), None)


def chosen_stars(form: StarsForm, former: float | None) -> float | None:
    """Return the stars that were chosen; a number that was there already does not outweigh a chosen half."""
    _, exactly = halves_or_exactly(former)
    return form.stars if form.exactly == exactly and form.stars else form.exactly or form.stars
