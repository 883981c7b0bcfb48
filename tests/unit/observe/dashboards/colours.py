"""How far apart two of Grafana's colours are for eyes that lack a receptor.

Colours: ``createVisualizationColors`` (https://github.com/grafana/grafana,
packages/grafana-data/src/themes/createVisualizationColors.ts), the dark theme.
What is seen: G. M. Machado, M. M. Oliveira, L. A. F. Fernandes, "A Physiologically-based Model for Simulation of Color
Vision Deficiency" (2009), severity 1. Distance: CIE 1976, where about 2 is the least that anybody sees.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

Matrix = tuple[tuple[float, float, float], ...]

GRAFANA = {
    "green": "73BF69",
    "blue": "5794F2",
    "super-light-blue": "C0D8FF",
    "orange": "FF9830",
    "red": "F2495C",
    "purple": "B877D9",
}

EYES: dict[str, Matrix] = {
    "usual": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


def distance(one: str, other: str) -> float:
    """The least distance of two colours by name, over all eyes. Raises KeyError for a colour that is not known here."""
    return min(math.dist(_lab(_seen(one, eyes)), _lab(_seen(other, eyes))) for eyes in EYES.values())


def _seen(name: str, eyes: Matrix) -> list[float]:
    given = [_linear(int(GRAFANA[name][at : at + 2], 16) / 255) for at in (0, 2, 4)]
    mixed = (sum(weight * part for weight, part in zip(row, given, strict=True)) for row in eyes)
    return [min(1.0, max(0.0, part)) for part in mixed]


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def _lab(rgb: Sequence[float]) -> tuple[float, float, float]:
    """CIE L*a*b* under D65 of linear sRGB."""
    red, green, blue = rgb
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883
    fx, fy, fz = map(_f, (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def _f(part: float) -> float:
    return part ** (1 / 3) if part > 216 / 24389 else (24389 / 27 * part + 16) / 116
