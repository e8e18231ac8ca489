"""What the pictures of the demo are drawn with: light, skies, hills, clouds, grain; with Pillow alone."""

import random
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from PIL import Image, ImageChops, ImageDraw, ImageFilter

Colour = tuple[int, int, int]
Size = tuple[int, int]


class Light(NamedTuple):
    """The colours of a scene: the sky from top to horizon, the haze, the ground, and the source of light."""

    sky: tuple[Colour, ...]
    haze: Colour
    ground: Colour
    glow: Colour


LIGHTS: Mapping[str, Light] = {
    "dawn": Light(
        ((38, 52, 92), (124, 108, 148), (236, 162, 134), (255, 214, 168)),
        (240, 184, 156),
        (44, 38, 58),
        (255, 226, 180),
    ),
    "day": Light(
        ((48, 112, 178), (112, 168, 214), (190, 218, 234)), (206, 222, 230), (46, 74, 74), (255, 250, 232)
    ),
    "gold": Light(
        ((92, 112, 152), (206, 168, 134), (252, 198, 108), (255, 226, 150)),
        (246, 198, 128),
        (62, 44, 30),
        (255, 236, 170),
    ),
    "dusk": Light(
        ((18, 20, 54), (62, 44, 104), (168, 74, 112), (244, 134, 92)),
        (188, 92, 104),
        (18, 16, 34),
        (255, 190, 128),
    ),
    "mist": Light(
        ((158, 174, 182), (196, 206, 208), (222, 226, 224)), (224, 228, 226), (52, 68, 70), (250, 250, 244)
    ),
    "night": Light(
        ((4, 7, 20), (12, 20, 48), (30, 46, 82), (66, 84, 112)), (48, 66, 96), (5, 8, 16), (226, 232, 250)
    ),
}


def gradient(size: Size, stops: Sequence[Colour]) -> Image.Image:
    """Return a picture whose colours go from the top to the bottom."""
    column = Image.new("RGB", (1, len(stops)))
    column.putdata(list(stops))
    # the edges of a stretched picture are flat: stretched further and cut, the colours fill it
    tall = round(size[1] * len(stops) / (len(stops) - 1))
    stretched = column.resize((1, tall), Image.Resampling.BICUBIC)
    top = (tall - size[1]) // 2
    return stretched.crop((0, top, 1, top + size[1])).resize(size)


def mix(one: Colour, other: Colour, part: float) -> Colour:
    """Return a colour between two."""
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(one, other, strict=True))
    return red, green, blue


def ridge(rng: random.Random, width: int, *, base: float, swing: float, rough: float) -> list[float]:
    """Return the heights of a line of hills for each pixel, by midpoint displacement."""
    points = [base + rng.uniform(-swing, swing) for _ in range(3)]
    while len(points) < width:
        swing *= rough
        halves = [(a + b) / 2 + rng.uniform(-swing, swing) for a, b in pairwise(points)]
        points = [point for pair in zip(points, halves, strict=False) for point in pair] + [points[-1]]
    return points[:width]


def below(size: Size, heights: Sequence[float]) -> Image.Image:
    """Return a mask of what is below a line, with smooth edges."""
    width, height = size
    mask = Image.new("L", (width, height * 2))
    line = [(x, y * 2) for x, y in enumerate(heights)]
    ImageDraw.Draw(mask).polygon([(0, height * 2), *line, (width, height * 2)], fill=255)
    return mask.resize(size, Image.Resampling.BOX)


def cloudy(rng: random.Random, size: Size, cells: Sequence[int], stretch: float = 1.0) -> Image.Image:
    """Return soft noise: several layers, each finer and weaker than the one before."""
    made = Image.new("L", size, 128)
    strength = 0.6
    for count in cells:
        shape = (max(2, round(count / stretch)), max(2, round(count * size[1] / size[0] * stretch)))
        layer = Image.new("L", shape)
        layer.putdata([rng.randrange(256) for _ in range(shape[0] * shape[1])])
        made = Image.blend(made, layer.resize(size, Image.Resampling.BICUBIC), strength)
        strength *= 0.62
    return made


def light_up(
    picture: Image.Image, at: tuple[float, float], radius: float, colour: Colour, power: float
) -> Image.Image:
    """Return the picture with a soft light at a place; the radius is in parts of the width."""
    width, height = picture.size
    span = max(2, round(width * radius * 2))
    spot = ImageChops.invert(Image.radial_gradient("L")).point(
        [round(255 * (n / 255) ** 2.6 * power) for n in range(256)]
    )
    glow = Image.new("L", picture.size)
    glow.paste(
        spot.resize((span, span), Image.Resampling.BICUBIC),
        (round(at[0] * width - span / 2), round(at[1] * height - span / 2)),
    )
    return ImageChops.screen(
        picture, ImageChops.multiply(Image.new("RGB", picture.size, colour), Image.merge("RGB", (glow,) * 3))
    )


def sky_of(rng: random.Random, size: Size, light: Light, clouds: float) -> Image.Image:
    """Return a sky with clouds: 0 is none, 1 are many."""
    sky = gradient(size, light.sky)
    if clouds:
        veil = cloudy(rng, size, (4, 9, 20, 44, 90), stretch=2.4)
        low = round(255 * (1 - clouds * 0.62))
        veil = veil.point([max(0, min(230, round((n - low * 0.62) * 2.4))) for n in range(256)])
        fade = gradient(size, ((255,) * 3, (230,) * 3, (120,) * 3, (20,) * 3)).convert("L")
        lit = Image.new("RGB", size, mix(light.glow, light.sky[-1], 0.35))
        sky = Image.composite(lit, sky, ImageChops.multiply(veil, fade))
    return sky


def developed(rng: random.Random, picture: Image.Image) -> Image.Image:
    """Return the picture as a camera has it: with grain, and darker corners."""
    size = picture.size
    corners = Image.radial_gradient("L").resize(size, Image.Resampling.BICUBIC)
    corners = corners.point([255 - round(max(0, n - 110) * 0.30) for n in range(256)])
    picture = ImageChops.multiply(picture, Image.merge("RGB", (corners,) * 3))
    grain = Image.frombytes("L", (512, 512), rng.randbytes(512 * 512)).filter(ImageFilter.GaussianBlur(0.7))
    tiled = Image.new("L", size)
    for x in range(0, size[0], 512):
        for y in range(0, size[1], 512):
            tiled.paste(grain, (x, y))
    return ImageChops.overlay(
        picture, Image.merge("RGB", (tiled.point([116 + (n - 128) // 5 + 12 for n in range(256)]),) * 3)
    )


def smoothed(heights: Sequence[float], span: int) -> list[float]:
    """Return the mean of each stretch of a line."""
    sums, total = [0.0], 0.0
    for y in heights:
        total += y
        sums.append(total)
    last = len(heights)
    return [
        (sums[min(last, x + span + 1)] - sums[max(0, x - span)])
        / (min(last, x + span + 1) - max(0, x - span))
        for x in range(last)
    ]
