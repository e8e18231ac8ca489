"""Draws the pictures of the demo, each from its scene, its light and a seed."""

import random
from collections.abc import Callable, Mapping
from io import BytesIO

from PIL import Image

from bookshelf.photos.demo.drawing import LIGHTS, Light, Size, developed
from bookshelf.photos.demo.landscapes import dunes, field, forest, mountains, sea
from bookshelf.photos.demo.nights import aurora, lights, night

#: The quality of the JPEG that a scene becomes.
_QUALITY = 90

SCENES: Mapping[str, Callable[[random.Random, Size, Light], Image.Image]] = {
    "mountains": mountains,
    "sea": sea,
    "dunes": dunes,
    "forest": forest,
    "night": night,
    "aurora": aurora,
    "lights": lights,
    "field": field,
}


def draw_scene(scene: str, light: str, size: Size, seed: int) -> bytes:
    """Return a scene as a JPEG; the same arguments make the same picture."""
    rng = random.Random(f"{scene} {light} {seed}")  # noqa: S311 (a picture)
    picture = developed(rng, SCENES[scene](rng, size, LIGHTS[light]))
    made = BytesIO()
    picture.save(made, "JPEG", quality=_QUALITY)
    return made.getvalue()
