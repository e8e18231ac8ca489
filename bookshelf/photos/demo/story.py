"""The story of the demo: the pictures that people publish, and the comments and votes of others."""

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from bookshelf.photos.demo.drawing import Size

_WIDE, _BROAD, _TALL = (1620, 1080), (2000, 1000), (1080, 1440)


class DemoMember(NamedTuple):
    """A person of the demo."""

    handle: str
    name: str
    about: str


class DemoPhoto(NamedTuple):
    """A picture of the demo: its texts, how it is drawn, and how much people like it, 0 to 1."""

    title: str
    description: str
    scene: str
    light: str
    size: Size
    liked: float


class Publish(NamedTuple):
    """A person publishes a picture; both are numbers of the lists."""

    when: datetime
    member: int
    photo: int


class DemoVote(NamedTuple):
    """A person votes for a picture, or against it."""

    when: datetime
    member: int
    photo: int
    way: str


class DemoComment(NamedTuple):
    """A person comments on a picture."""

    when: datetime
    member: int
    photo: int
    text: str


PhotoStep = Publish | DemoVote | DemoComment

MEMBERS = (
    DemoMember("ilse", "Ilse Brandt", "I walk along the coast before breakfast, with a camera and a dog."),
    DemoMember("tomas", "Tomás Herrera", "Mountains, and the way home from them."),
    DemoMember("noor", "Noor van Dijk", "Nights outside. Long exposures, cold fingers, hot tea."),
    DemoMember("mika", "Mika Saarinen", "Forests and fog. Everything north of sixty."),
    DemoMember("amara", "Amara Okafor", "Deserts and cities. I look for the last ten minutes of light."),
    DemoMember("jules", "Jules Lefèvre", "Fields, flowers, farm tracks. I cycle."),
    DemoMember("wren", "Wren Hollis", "I mostly look at what others make."),
    DemoMember("kenji", "Kenji Mori", "Here for the skies."),
    DemoMember("dora", "Dora Kiss", ""),
    DemoMember("sam", "Sam Adeyemi", "Trying to learn how they do it."),
)
PHOTOS = (
    DemoPhoto(
        "Low tide, first light",
        "The sun low above the sea, and its way on the water",
        "sea",
        "gold",
        _WIDE,
        0.95,
    ),
    DemoPhoto(
        "Six ridges",
        "Mountains behind mountains, each paler than the one before it",
        "mountains",
        "dawn",
        _WIDE,
        0.9,
    ),
    DemoPhoto(
        "The lake answers",
        "Green northern lights above hills, and again in the still lake",
        "aurora",
        "night",
        _BROAD,
        0.97,
    ),
    DemoPhoto(
        "Lavender, late June", "Rows of lavender that run together at the horizon", "field", "day", _WIDE, 0.7
    ),
    DemoPhoto(
        "Standing still",
        "Firs in fog, row behind row, the last ones hardly there",
        "forest",
        "mist",
        _TALL,
        0.85,
    ),
    DemoPhoto(
        "The sand keeps moving", "Dunes in low light, one side of each bright", "dunes", "gold", _WIDE, 0.8
    ),
    DemoPhoto(
        "Rain on the tram window",
        "The lights of a city out of focus, warm and blue",
        "lights",
        "dusk",
        _WIDE,
        0.55,
    ),
    DemoPhoto(
        "Milky Way over the farm",
        "The band of the galaxy above a dark line of hills",
        "night",
        "night",
        _TALL,
        0.9,
    ),
    DemoPhoto("After the storm", "A red evening above a dark sea", "sea", "dusk", _BROAD, 0.88),
    DemoPhoto("Above the cloud", "Grey mountains under a bright cloud", "mountains", "mist", _WIDE, 0.5),
    DemoPhoto("Poppies or tulips?", "Rows of red flowers under an evening sky", "field", "gold", _WIDE, 0.6),
    DemoPhoto("Evening in the erg", "Dunes below a violet sky", "dunes", "dusk", _WIDE, 0.75),
    DemoPhoto(
        "The moon has a road",
        "The moon above the sea, and its silver way on the water",
        "sea",
        "night",
        _TALL,
        0.86,
    ),
    DemoPhoto(
        "Five in the morning",
        "Firs before a violet sky, the far ones in warm haze",
        "forest",
        "dawn",
        _WIDE,
        0.72,
    ),
    DemoPhoto(
        "Gold on the ridge", "Mountains before a yellow evening sky", "mountains", "gold", _BROAD, 0.83
    ),
    DemoPhoto(
        "Clear, and very cold", "Stars without number above black hills", "night", "night", _WIDE, 0.78
    ),
    DemoPhoto("Noon, no wind", "A blue sea with the sun above it", "sea", "day", _WIDE, 0.45),
    DemoPhoto(
        "Green over Inari", "A curtain of green light above a frozen lake", "aurora", "night", _WIDE, 0.92
    ),
    DemoPhoto(
        "Blue hour ridge", "Dark mountains below a red and violet sky", "mountains", "dusk", _TALL, 0.81
    ),
    DemoPhoto(
        "Yellow as far as it goes", "Rows of yellow flowers under summer clouds", "field", "day", _BROAD, 0.58
    ),
    DemoPhoto("Golden firs", "Firs against an evening full of light", "forest", "gold", _WIDE, 0.66),
    DemoPhoto(
        "Traffic, seen by a cat", "Round lights of many colours in the dark", "lights", "night", _WIDE, 0.35
    ),
    DemoPhoto("Dawn from the ferry", "A pink morning above the sea", "sea", "dawn", _WIDE, 0.84),
    DemoPhoto("Sleeping giants", "Dunes in the first light of the day", "dunes", "dawn", _BROAD, 0.77),
)
#: The member that publishes each kind of scene.
_OWNERS = {
    "sea": 0,
    "mountains": 1,
    "night": 2,
    "aurora": 2,
    "forest": 3,
    "dunes": 4,
    "lights": 4,
    "field": 5,
}
_SAID = (
    "This is the one I will remember from this week.",
    "How long did you wait for this?",
    "The far end of it. I keep looking at the far end.",
    "Which lens?",
    "I was there last autumn and saw nothing but rain.",
    "Too dark on my screen, wonderful on the phone.",
    "Where is this, roughly?",
    "Printed it in my head already.",
    "I like the other one from that evening even more.",
    "Look at that light!",
    "My favourite of yours so far.",
    "The horizon is a little crooked. I do not mind.",
    "Beautiful. Thank you for getting up so early.",
    "It looks so quiet there.",
    "😍",
    "Ich möchte sofort dorthin.",
)
_DAYS = 30
_UP, _DOWN = "up", "down"


def demo_photo_story(end: datetime, seed: int, pictures: int = len(PHOTOS)) -> list[PhotoStep]:
    """Return what happens in the month before `end`, in the order of time; the same seed, the same story."""
    rng = random.Random(seed)  # noqa: S311 (a story)
    steps = list(_steps(rng, end, pictures))
    return sorted(steps, key=lambda step: step.when)


def _steps(rng: random.Random, end: datetime, pictures: int) -> Iterator[PhotoStep]:
    begins = end - timedelta(days=_DAYS)
    order = rng.sample(range(len(PHOTOS)), pictures)
    for place, number in enumerate(order):
        photo = PHOTOS[number]
        # the last ones are of the last hours
        share = 1 - (1 - (place + 1) / len(order)) ** 1.35
        when = begins + (end - timedelta(hours=2) - begins) * share
        yield Publish(when, _OWNERS[photo.scene], number)
        others = [member for member in range(len(MEMBERS)) if member != _OWNERS[photo.scene]]
        yield from _reactions(rng, photo, number, others, when, end)


def _reactions(
    rng: random.Random, photo: DemoPhoto, number: int, others: Sequence[int], since: datetime, end: datetime
) -> Iterator[PhotoStep]:
    for member in others:
        when = since + (end - since) * rng.random() ** 1.6
        if rng.random() < 0.35 + 0.6 * photo.liked:
            way = _UP if rng.random() < 0.3 + 0.7 * photo.liked else _DOWN
            yield DemoVote(when, member, number, way)
        if rng.random() < 0.55 * photo.liked**2:
            later = when + (end - when) * rng.random() * 0.2
            yield DemoComment(later, member, number, rng.choice(_SAID))
