"""Pictures of the demo at night: stars, northern lights, the lights of a city."""

import random

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
    smoothed,
)


def night(rng: random.Random, size: Size, light: Light) -> Image.Image:
    """Draw the stars above a line of hills."""
    width, height = size
    picture = gradient(size, light.sky)
    # a band of the galaxy from corner to corner
    band = Image.new("L", size)
    tilt, draw = rng.uniform(0.2, 0.7), ImageDraw.Draw(band)
    draw.line(
        (width * tilt, -height * 0.2, width * (1 - tilt) + width * 0.25, height * 1.1),
        fill=150,
        width=round(width * 0.16),
    )
    band = band.filter(ImageFilter.GaussianBlur(width * 0.055))
    dust = cloudy(rng, size, (5, 12, 28, 60, 120))
    milky = ImageChops.multiply(
        band, dust.point([max(0, min(255, round((n - 70) * 1.9))) for n in range(256)])
    )
    picture = ImageChops.screen(
        picture,
        ImageChops.multiply(Image.merge("RGB", (milky,) * 3), Image.new("RGB", size, (196, 176, 214))),
    )
    stars = Image.new("L", size)
    draw = ImageDraw.Draw(stars)
    for _ in range(round(width * height / 900)):
        x, y, bright = rng.random() * width, rng.random() * height * 0.86, rng.random() ** 5
        radius = 0.5 + 1.5 * bright
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=round(70 + 185 * bright))
    glow = ImageChops.screen(stars, stars.filter(ImageFilter.GaussianBlur(2.2)))
    picture = ImageChops.screen(picture, Image.merge("RGB", (glow,) * 3))
    picture = light_up(
        picture, (rng.uniform(0.2, 0.8), 0.92), 0.5, mix(light.haze, (255, 176, 96), 0.5), 0.55
    )
    for row in range(2):
        heights = ridge(rng, width, base=height * (0.84 + 0.09 * row), swing=height * 0.07, rough=0.5)
        picture = Image.composite(
            Image.new("RGB", size, mix(light.haze, light.ground, 0.78 + 0.22 * row)),
            picture,
            below(size, heights),
        )
    return picture


def aurora(rng: random.Random, size: Size, light: Light) -> Image.Image:
    """Draw northern lights above a lake that mirrors them."""
    width, height = size
    shore = round(height * 0.66)
    sky = night(rng, (width, shore), light)
    for _ in range(3):
        curtain = Image.new("L", (width, shore))
        draw = ImageDraw.Draw(curtain)
        line = smoothed(
            ridge(rng, width, base=shore * rng.uniform(0.34, 0.6), swing=shore * 0.2, rough=0.45),
            round(width * 0.02),
        )
        rays = ridge(rng, width, base=0.62, swing=0.34, rough=0.86)
        for x, (y, ray) in enumerate(zip(line, rays, strict=True)):
            strength = max(0.05, min(1.0, ray))
            top = y - shore * (0.16 + 0.34 * strength)
            for part in range(12):
                a, b = top + (y - top) * part / 12, top + (y - top) * (part + 1) / 12
                draw.line((x, a, x, b), fill=round(205 * strength * ((part + 1) / 12) ** 1.6))
        curtain = curtain.filter(ImageFilter.GaussianBlur(3))
        tint = gradient((width, shore), ((150, 70, 190), (84, 200, 150), (70, 240, 160), (60, 200, 150)))
        sky = ImageChops.screen(sky, ImageChops.multiply(Image.merge("RGB", (curtain,) * 3), tint))
    whole = Image.new("RGB", size)
    whole.paste(sky)
    mirror = sky.transpose(Image.Transpose.FLIP_TOP_BOTTOM).crop((0, 0, width, height - shore))
    mirror = (
        mirror.resize((width, 60))
        .resize(mirror.size, Image.Resampling.BICUBIC)
        .filter(ImageFilter.GaussianBlur(4))
    )
    whole.paste(ImageChops.multiply(mirror, Image.new("RGB", mirror.size, (150, 170, 190))), (0, shore))
    return whole


def lights(rng: random.Random, size: Size, light: Light) -> Image.Image:
    """Draw the lights of a city out of focus."""
    width, height = size
    picture = gradient(
        size, (mix(light.sky[0], (0, 0, 0), 0.5), light.sky[0], mix(light.sky[1], (0, 0, 0), 0.3))
    )
    tints: tuple[Colour, ...] = (
        (255, 190, 110),
        (255, 148, 84),
        (255, 226, 170),
        (236, 92, 92),
        (120, 190, 255),
        (170, 232, 210),
    )
    for layer in range(3):
        for _ in range(26):
            spot = Image.new("L", size)
            radius = width * (0.012 + 0.020 * layer) * rng.uniform(0.7, 1.4)
            x, y = rng.random() * width, height * min(0.98, max(0.05, rng.gauss(0.60, 0.22)))
            draw = ImageDraw.Draw(spot)
            draw.ellipse(
                (x - radius, y - radius, x + radius, y + radius),
                fill=rng.randrange(60, 150),
                outline=190,
                width=max(1, round(radius * 0.06)),
            )
            box = (
                max(0, round(x - radius * 1.4)),
                max(0, round(y - radius * 1.4)),
                min(width, round(x + radius * 1.4)),
                min(height, round(y + radius * 1.4)),
            )
            if box[0] >= box[2] or box[1] >= box[3]:
                continue
            part = spot.crop(box).filter(ImageFilter.GaussianBlur(1.2 + layer))
            tint = Image.new("RGB", part.size, rng.choice(tints))
            lit = ImageChops.screen(
                picture.crop(box), ImageChops.multiply(tint, Image.merge("RGB", (part,) * 3))
            )
            picture.paste(lit, box)
    return picture
