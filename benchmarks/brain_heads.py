"""Random heads as label maps, to train brain extraction on: MNI152 brains in wildly drawn surroundings.

Only the brain is anatomy; skull, scalp, face and neck are layers and blobs that are drawn afresh for each head, for a
network that has seen more than there is will not be surprised by a scan (Hoopes et al. 2022, SynthStrip,
doi:10.1016/j.neuroimage.2022.119474).
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from mstl.data.heads.anatomy import HEAD_CENTRE, load_template
from mstl.data.heads.fields import draw_field

LABELS = (
    "air", "white", "grey", "deep", "sulcal", "ventricle", "fluid", "dura", "bone", "marrow", "muscle", "muscle2",
    "fat", "skin", "vitreous", "lens", "mucosa", "vessel", "cord", "tongue", "cartilage", "cavity",
)  # fmt: skip
NUMBER = {name: number for number, name in enumerate(LABELS)}
STEP = 2.0  # mm
ORIGIN = np.array([-104.0, -136.0, -176.0])  # of the first voxel, world mm RAS+ of the template
SHAPE = (105, 126, 134)
SOFT = ("muscle", "muscle2", "fat", "mucosa", "vessel", "cavity", "bone", "cartilage")
SOFT_LIFT = (1.2, 0.9, 0.6, 0.1, -0.8, -0.3, 0.0, 0.0)  # how often each wins


@dataclass(frozen=True)
class LabelMap:
    """Labels uint8 on the lattice of `STEP`, `ORIGIN`, `SHAPE`, and depth below the brain's surface int8, mm."""

    labels: np.ndarray
    depth: np.ndarray


def draw_label_map(seed: int) -> LabelMap:
    """Draw one head; equal seeds give equal heads."""
    rng = np.random.default_rng([seed, 11])
    extent = tuple(STEP * side for side in SHAPE)
    offsets = tuple(STEP * np.arange(side) for side in SHAPE)
    points = np.stack(np.meshgrid(*(o + x for o, x in zip(ORIGIN, offsets, strict=True)), indexing="ij"))
    points = points.astype(np.float32)

    def field(scale: float) -> np.ndarray:
        return draw_field(rng, extent, scale=scale)(offsets)

    tissue, brain = _brain(rng, points, field)
    depth = _signed(brain)
    hull = _signed(_closed(brain, rng.uniform(6, 16)))
    bone = _layers(rng, -hull, points, field)
    labels = _outside(rng, points, bone, hull, field)
    labels = np.where(brain, tissue, labels).astype(np.uint8)
    return LabelMap(labels, np.clip(np.rint(depth * 4), -127, 127).astype(np.int8))


def _brain(rng: np.random.Generator, points: np.ndarray, field) -> tuple[np.ndarray, np.ndarray]:
    """Brain tissues (labels) and where they are: the template's, turned, stretched and pushed about."""
    template = load_template()
    turn = Rotation.from_euler("xyz", rng.normal(0, 4, 3), degrees=True).as_matrix()
    linear = turn @ np.diag(rng.normal(1.04, 0.06, 3)) + np.triu(rng.normal(0, 0.03, (3, 3)), 1)
    moved = points - HEAD_CENTRE.astype(np.float32)[:, None, None, None]
    moved = np.einsum("ab,bijk->aijk", linear.astype(np.float32), moved, optimize=True)
    for scale, size in ((60, 5.0), (25, 2.0)):
        moved += np.stack([np.float32(rng.uniform(0.3, 1) * size) * field(scale) for _ in range(3)])
    where = moved + (HEAD_CENTRE - template.origin).astype(np.float32)[:, None, None, None]
    inside = _sample(template.depth, where / 2, -60.0) > rng.uniform(-0.5, 1.0) + 0.5 * field(12)
    white, grey, ventricle = (_sample(m, where * s, c) for m, s, c in (
        (template.white, 1, 0), (template.grey, 1, 0), (template.ventricle, 0.5, 99)))  # fmt: skip
    near = np.clip(1 - _sample(template.depth, where / 2, -60.0) / 22, 0, 1)
    sulci = np.exp(-((field(9) / np.float32(rng.uniform(0.1, 0.3))) ** 2))  # sheets where a random field crosses zero
    fluid = 1 - white - grey + near * (rng.uniform(-0.3, 0.2) + 0.25 * field(5) + rng.uniform(0, 0.9) * sulci)
    tissue = np.argmax(np.stack([white + 0.1 * field(6), grey, fluid]), axis=0)
    tissue = np.array([NUMBER["white"], NUMBER["grey"], NUMBER["sulcal"]], np.uint8)[tissue]
    tissue[(tissue == NUMBER["grey"]) & (near == 0)] = NUMBER["deep"]
    tissue[ventricle < rng.gamma(1.5, 1.2)] = NUMBER["ventricle"]
    parts, _ = ndimage.label(inside)
    return tissue, parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])


def _layers(rng: np.random.Generator, out: np.ndarray, points: np.ndarray, field) -> list:
    """(label, outer border in mm from the hull of the brain) of each layer of the skull, from inside out."""
    low = np.clip((30 - points[2]) / 60, 0, 1) * np.clip((np.abs(points[0]) - 30) / 30, 0, 1)
    border = np.zeros_like(out)
    layers = []
    for name, least, most in (
        ("fluid", 0.0, rng.choice([1.5, 3, 7])), ("dura", 0.3, 1.5), ("bone", 0.8, 3.0), ("marrow", 0.0, 7.0),
        ("bone", 0.8, 3.0), ("muscle", 0.0, 2.5),
    ):  # fmt: skip
        mean = rng.uniform(least, most)
        border = border + np.maximum(mean * (1 + 0.4 * field(rng.uniform(12, 40))), 0)
        if name == "muscle":
            border = border + rng.uniform(0, 12) * low
        layers.append((NUMBER[name], border))
    return layers


def _outside(rng: np.random.Generator, points: np.ndarray, layers: list, hull: np.ndarray, field) -> np.ndarray:
    """Labels of everything around the brain, the brain's place included."""
    fat = np.maximum(rng.uniform(1, 9) * (1 + 0.5 * field(30)), 0.3)
    skin = rng.uniform(1.0, 2.5)
    head = -hull < layers[-1][1] + fat + skin
    head |= _face_and_neck(rng, points, field)
    deep = _signed(head)
    rough = [lift + field(scale) for lift, scale in zip(SOFT_LIFT, rng.uniform(5, 22, len(SOFT)), strict=True)]
    labels = np.array([NUMBER[name] for name in SOFT], np.uint8)[np.argmax(np.stack(rough), axis=0)]
    _paint_face(rng, points, labels)
    thin = deep < skin + fat
    labels[thin & (points[2] > -90 + 30 * field(40))] = NUMBER["fat"]
    for number, border in reversed(layers):
        labels[-hull < border] = number
    _paint_base(rng, points, labels, -hull, layers[0][1])
    labels[deep < skin] = NUMBER["skin"]
    labels[deep <= 0] = NUMBER["air"]
    return labels


def _face_and_neck(rng: np.random.Generator, points: np.ndarray, field) -> np.ndarray:
    wobble = 0.08 * field(30)
    tilt = rng.uniform(-0.25, 0.25)  # mm backward per mm downward
    x, y, z = points
    neck = (x / rng.uniform(45, 70)) ** 2 + ((y + 25 + tilt * (z + 60)) / rng.uniform(45, 75)) ** 2 < 1 + wobble
    parts = neck & (z < -40)
    for centre, radii in (
        ((0, rng.uniform(25, 45), rng.uniform(-70, -45)), rng.uniform((48, 45, 50), (72, 68, 85))),
        ((0, rng.uniform(80, 100), rng.uniform(-65, -40)), rng.uniform((8, 10, 12), (18, 26, 30))),
        ((-rng.uniform(72, 86), -15, -45), rng.uniform((4, 8, 15), (14, 20, 34))),
        ((rng.uniform(72, 86), -15, -45), rng.uniform((4, 8, 15), (14, 20, 34))),
    ):
        parts |= _ball(points, centre, radii) < 1 + wobble
    if rng.random() < 0.3:  # shoulders, pillow, tongue depressor, coil: something else at the edge
        parts |= _ball(points, rng.uniform((-90, -120, -170), (90, 90, -90)), rng.uniform(10, 60, 3)) < 1
    return parts


def _paint_face(rng: np.random.Generator, points: np.ndarray, labels: np.ndarray) -> None:
    """Eyes, air-filled sinuses, nose, mouth, spine: ellipsoids about where they are, present or not."""
    gap, front, height = rng.uniform(26, 36), rng.uniform(52, 70), rng.uniform(-48, -28)
    for side in (-1, 1):
        _paint(rng, points, labels, "fat", (side * gap * 0.9, front - 16, height), (20, 26, 18), 0.9)
        _paint(rng, points, labels, "muscle", (side * gap * 0.8, front - 26, height), (4, 18, 4), 0.7)
        _paint(rng, points, labels, "vitreous", (side * gap, front, height), (12.5, 12.5, 12.5), 0.97, 0.06)
        _paint(rng, points, labels, "lens", (side * gap, front + 9, height), (4, 2.5, 4), 0.6)
        _paint(rng, points, labels, "cavity", (side * 28, 50, -62), (13, 16, 15), 0.8)
        _paint(rng, points, labels, "cavity", (side * 55, -32, -48), (9, 13, 14), 0.7)
        _paint(rng, points, labels, "mucosa", (side * 24, 48, -64), (12, 14, 12), 0.25)
    for name, centre, radii, chance in (
        ("mucosa", (0, 58, -58), (12, 26, 20), 0.9), ("cavity", (0, 62, -52), (5, 24, 16), 0.8),
        ("cavity", (0, 78, -14), (20, 7, 13), 0.7), ("cavity", (0, 26, -44), (12, 10, 9), 0.7),
        ("tongue", (0, 40, -95), (24, 30, 22), 0.9), ("cavity", (0, 5, -90), (8, 7, 30), 0.8),
        ("bone", (0, 55, -85), (35, 28, 7), 0.7), ("marrow", (0, 2, -55), (13, 16, 14), 0.8),
    ):  # fmt: skip
        _paint(rng, points, labels, name, centre, radii, chance)


def _paint_base(
    rng: np.random.Generator, points: np.ndarray, labels: np.ndarray, out: np.ndarray, fluid: np.ndarray
) -> None:
    """The cord in its canal, and veins and pits at the surface of the brain's hull."""
    x, y, z = points
    lean = rng.uniform(-0.3, 0.3)
    radius = np.hypot(x - rng.normal(0, 2), y + 42 + lean * (z + 70) + rng.normal(0, 3))
    below = (z < -58) & (out > 0)
    cord, canal = rng.uniform(4.5, 8), rng.uniform(8, 14)
    for name, limit in (("bone", canal + rng.uniform(4, 12)), ("fluid", canal), ("cord", cord)):
        labels[below & (radius < limit) & ((out > fluid + 3) | (name != "bone"))] = NUMBER[name]
    vein = np.hypot(x, out - rng.uniform(2, 5)) < rng.uniform(1.5, 5)
    labels[vein & (z > -10) & (out > 0) & (y < 60)] = NUMBER["vessel"]
    for side in (-1, 1):
        _paint(rng, points, labels, "vessel", (side * 12, 2, -36), (5, 14, 6), 0.6, outside=out)
        _paint(rng, points, labels, "vessel", (side * 48, -62, -34), (14, 14, 5), 0.6, outside=out)


def _paint(rng, points, labels, name, centre, radii, chance, jitter=0.25, *, outside=None) -> None:
    if rng.random() < chance:
        centre = np.asarray(centre) + rng.normal(0, 3, 3)
        radii = np.asarray(radii) * rng.uniform(1 - jitter, 1 + jitter, 3)
        inside = _ball(points, centre, radii) < 1
        labels[inside if outside is None else inside & (outside > 0)] = NUMBER[name]


def _ball(points: np.ndarray, centre, radii) -> np.ndarray:
    return sum(((points[a] - np.float32(centre[a])) / np.float32(radii[a])) ** 2 for a in range(3))


def _closed(brain: np.ndarray, radius: float) -> np.ndarray:
    wide = ndimage.distance_transform_edt(~np.pad(brain, 10)) * STEP < radius
    return (ndimage.distance_transform_edt(wide) * STEP > radius)[10:-10, 10:-10, 10:-10] | brain


def _signed(inside: np.ndarray) -> np.ndarray:
    """Distance in mm to the border of a region, positive within."""
    border = ndimage.distance_transform_edt(inside) - ndimage.distance_transform_edt(~inside)
    return (STEP * (border - 0.5 * np.sign(border))).astype(np.float32)


def _sample(volume: np.ndarray, where: np.ndarray, outside: float) -> np.ndarray:
    return ndimage.map_coordinates(volume, where, order=1, mode="constant", cval=outside, output=np.float32)
