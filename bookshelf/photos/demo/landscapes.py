"""Landscapes of the demo that look like photographs: mountains, sea, dunes, forest, fields."""

import random
from collections.abc import Sequence
from math import sin, tau

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from bookshelf.photos.demo.drawing import (
    Colour,
    Light,
    Size,
    below,
    cloudy,
    gradient,
    light_up,
    mix,
    ridge,
    sky_of,
)


def mountains(rng: random.Random, size: Size, light: Light) -> Image.Image:
    """Draw rows of mountains, the far ones in haze."""
    width, height = size
    picture = sky_of(rng, size, light, rng.uniform(0.2, 0.8))
    picture = light_up(picture, (rng.uniform(0.2, 0.8), rng.uniform(0.34, 0.44)), 0.42, light.glow, 0.9)
    rows = rng.randrange(5, 8)
    for row in range(rows):
        near = row / (rows - 1)
        heights = ridge(
            rng,
            width,
            base=height * (0.46 + 0.42 * near**1.1),
            swing=height * (0.20 - 0.10 * near),
            rough=0.53,
        )
        top = mix(mix(light.haze, light.ground, 0.12 + 0.88 * near**1.25), light.sky[0], 0.12)
        foot = mix(top, light.haze, 0.72 - 0.5 * near)
        shade = gradient((width, height), (top, top, mix(top, foot, 0.55), foot))
        picture = Image.composite(shade, picture, below(size, heights))
    return picture


def sea(rng: random.Random, size: Size, light: Light) -> Image.Image:
    """Draw an open sea with the light on it."""
    width, height = size
    horizon = round(height * rng.uniform(0.42, 0.56))
    sun = (rng.uniform(0.3, 0.7), horizon / height - rng.uniform(0.05, 0.14))
    picture = sky_of(rng, (width, horizon), light, rng.uniform(0.3, 0.9)).resize((width, horizon))
    whole = Image.new("RGB", size)
    whole.paste(picture)
    deep = mix(light.sky[0], light.ground, 0.45)
    water = gradient(
        (width, height - horizon),
        (mix(light.sky[-1], deep, 0.25), mix(light.sky[1], deep, 0.5), deep, mix(deep, (0, 0, 0), 0.3)),
    )
    waves = Image.new("L", water.size, 128)
    for row in range(46):
        # waves are longer and higher the nearer they are
        near = (row / 45) ** 1.7
        y, thick = round(near * water.size[1]), max(2, round(near * 26) + 2)
        strip = Image.new("L", (max(6, round(width / (5 + 90 * near))), 3))
        strip.putdata([rng.randrange(60, 200) for _ in range(strip.size[0] * 3)])
        waves.paste(strip.resize((width, thick * 2), Image.Resampling.BICUBIC), (0, y))
    waves = waves.filter(ImageFilter.GaussianBlur(1.6))
    water = ImageChops.overlay(water, Image.merge("RGB", (waves,) * 3))
    whole.paste(water, (0, horizon))
    whole = light_up(whole, sun, 0.5, light.glow, 0.85)
    disc = Image.new("L", size)
    radius = width * 0.028
    at = (sun[0] * width, sun[1] * height)
    ImageDraw.Draw(disc).ellipse((at[0] - radius, at[1] - radius, at[0] + radius, at[1] + radius), fill=255)
    disc.paste(0, (0, horizon, width, height))
    whole = Image.composite(
        Image.new("RGB", size, mix(light.glow, (255, 255, 255), 0.5)),
        whole,
        disc.filter(ImageFilter.GaussianBlur(3)),
    )
    return _glitter(rng, whole, light, at[0], horizon)


def _glitter(rng: random.Random, picture: Image.Image, light: Light, x: float, horizon: int) -> Image.Image:
    """Return the picture with the way of the light on the water."""
    width, height = picture.size
    mask = Image.new("L", picture.size)
    draw = ImageDraw.Draw(mask)
    for _ in range(1500):
        near = rng.random() ** 1.5
        y = horizon + 2 + near * (height - horizon)
        at = x + rng.gauss(0, 1) * width * (0.012 + 0.075 * near)
        long = width * (0.003 + 0.022 * near) * rng.uniform(0.4, 1.4)
        thick = 1 + near * 4.5
        draw.ellipse((at - long, y - thick / 2, at + long, y + thick / 2), fill=rng.randrange(70, 235))
    soft = ImageChops.lighter(
        mask.filter(ImageFilter.GaussianBlur(1.2)), mask.filter(ImageFilter.GaussianBlur(14))
    )
    return Image.composite(Image.new("RGB", picture.size, light.glow), picture, soft)


def dunes(rng: random.Random, size: Size, light: Light) -> Image.Image:
    """Draw dunes: what is turned to the light is bright, the rest is in the shade."""
    width, height = size
    picture = sky_of(rng, size, light, rng.uniform(0, 0.3))
    picture = light_up(picture, (rng.uniform(0.1, 0.9), 0.32), 0.6, light.glow, 0.55)
    sand, dark = mix((232, 176, 112), light.glow, 0.2), mix((96, 54, 40), light.ground, 0.4)
    rows = 5
    for row in range(rows):
        near = row / (rows - 1)
        crest = _crest(rng, width, height * (0.42 + 0.40 * near), height * (0.03 + 0.09 * near))
        shade = _slopes(crest, size, height * (0.10 + 0.30 * near))
        bright, deep = mix(sand, light.haze, 0.6 - 0.55 * near), mix(dark, light.haze, 0.55 - 0.5 * near)
        lit = Image.composite(Image.new("RGB", size, bright), Image.new("RGB", size, deep), shade)
        ripples = cloudy(rng, size, (40, 120, 300), stretch=2.2).point([98 + n // 4 for n in range(256)])
        lit = ImageChops.soft_light(lit, Image.merge("RGB", (ripples,) * 3))
        picture = Image.composite(lit, picture, below(size, crest))
    return picture


def _crest(rng: random.Random, width: int, base: float, swing: float) -> list[float]:
    """Return the smooth line of a dune: a few long waves, steeper on one side."""
    waves = [(rng.uniform(0.6, 1.6), rng.random() * tau, 1.0), (rng.uniform(2, 3.4), rng.random() * tau, 0.4)]
    return [
        base
        + swing
        * sum(
            part * sin(tau * often * x / width + at + 0.7 * sin(tau * often * x / width + at))
            for often, at, part in waves
        )
        for x in range(width)
    ]


def _slopes(crest: Sequence[float], size: Size, depth: float) -> Image.Image:
    """Return how bright each place of a dune is: the sides turn away from the light with the slope."""
    width = size[0]
    span = max(2, width // 60)
    turns = [crest[min(width - 1, x + span)] - crest[max(0, x - span)] for x in range(width)]
    most = max(map(abs, turns)) or 1
    top = Image.new("L", (width, 1))
    top.putdata([round(128 + 118 * turn / most) for turn in turns])
    sides = top.resize(size).filter(ImageFilter.GaussianBlur(width / 90))
    # below the crest the light fades, further down the next side of the sand begins
    fade = Image.new("L", size, 120)
    draw = ImageDraw.Draw(fade)
    for x, y in enumerate(crest):
        for part in range(8):
            begin = y + depth * part / 8
            draw.line((x, begin, x, begin + depth / 8), fill=round(235 - 115 * (part / 7) ** 0.7))
    return ImageChops.blend(sides, fade.filter(ImageFilter.GaussianBlur(width / 160)), 0.42)


def forest(rng: random.Random, size: Size, light: Light) -> Image.Image:
    """Draw firs in the fog, row behind row."""
    width, height = size
    picture = gradient(size, light.sky)
    picture = light_up(picture, (rng.uniform(0.3, 0.7), 0.28), 0.55, light.glow, 0.7)
    for row in range(5):
        near = row / 4
        mask = Image.new("L", (width * 2, height * 2))
        draw = ImageDraw.Draw(mask)
        ground = ridge(rng, width * 2, base=height * (1.08 + 0.72 * near), swing=height * 0.12, rough=0.42)
        draw.polygon([(0, height * 2), *enumerate(ground), (width * 2, height * 2)], fill=255)
        x = -40.0
        while x < width * 2 + 40:
            tall = height * (0.22 + 0.5 * near) * rng.uniform(0.55, 1.25)
            _fir(rng, draw, x, ground[min(len(ground) - 1, max(0, round(x)))] + 8, tall)
            x += tall * rng.uniform(0.10, 0.42)
        tree = mix(light.haze, mix(light.ground, (16, 34, 30), 0.5), 0.16 + 0.8 * near**1.2)
        shade = gradient(
            size, (tree, tree, mix(tree, light.haze, 0.12), mix(tree, light.haze, 0.55 - 0.3 * near))
        )
        picture = Image.composite(shade, picture, mask.resize(size, Image.Resampling.BOX))
    return picture


def _fir(rng: random.Random, draw: ImageDraw.ImageDraw, x: float, foot: float, tall: float) -> None:
    layers = 13
    wide = tall * rng.uniform(0.15, 0.21)
    draw.rectangle((x - tall * 0.010, foot - tall, x + tall * 0.010, foot), fill=255)
    for layer in range(layers):
        part = (layer + 1) / layers
        y = foot - tall * (1 - part * 0.94)
        left, right = (wide * part * rng.uniform(0.72, 1.12) for _ in range(2))
        draw.polygon(
            [
                (x, y - tall * 0.10),
                (x - left, y + tall * 0.03),
                (x, y - tall * 0.005),
                (x + right, y + tall * 0.03),
            ],
            fill=255,
        )


def field(rng: random.Random, size: Size, light: Light) -> Image.Image:
    """Draw rows of flowers that meet at the horizon."""
    width, height = size
    horizon = round(height * rng.uniform(0.36, 0.44))
    picture = sky_of(rng, size, light, 0.7)
    heights = ridge(rng, width, base=horizon * 0.96, swing=horizon * 0.12, rough=0.5)
    picture = Image.composite(
        Image.new("RGB", size, mix(light.haze, light.ground, 0.45)), picture, below(size, heights)
    )
    flower: Colour = rng.choice(((132, 92, 176), (206, 74, 70), (226, 186, 62)))
    ground = Image.new("RGB", size, mix(light.ground, (48, 62, 34), 0.6))
    draw, centre = ImageDraw.Draw(ground), width * rng.uniform(0.3, 0.7)
    for row in range(-26, 27):
        foot = centre + row * width * 0.105
        wide = width * 0.062
        draw.polygon(
            [(centre + row * 3, horizon), (foot - wide / 2, height), (foot + wide / 2, height)], fill=flower
        )
    speckle = cloudy(rng, size, (220, 420)).point(
        [max(40, min(215, round((n - 128) * 2.2 + 128))) for n in range(256)]
    )
    ground = ImageChops.overlay(
        ground.filter(ImageFilter.GaussianBlur(1.5)), Image.merge("RGB", (speckle,) * 3)
    )
    fade = gradient(size, ((0,) * 3, (0,) * 3, (150,) * 3, (255,) * 3)).convert("L")
    hazy = Image.composite(ground, Image.blend(ground, Image.new("RGB", size, light.haze), 0.45), fade)
    picture.paste(hazy.crop((0, horizon, width, height)), (0, horizon))
    return light_up(picture, (centre / width, horizon / height - 0.04), 0.5, light.glow, 0.6)
