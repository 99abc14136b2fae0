"""Figures of a domain shift: samples of both domains in two dimensions, by PCA and by t-SNE.

Colours are those of Okabe and Ito, told apart with any colour vision; the second domain's marks are hollow as well.
"""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from mstl.colours import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION
from mstl.evaluation.domain_features import Samples
from mstl.evaluation.domain_shift import DomainShift
from mstl.reporting.figures import INK, plain, tidy

DOMAIN_LOOKS = ({"color": BLUE, "marker": "o"}, {"color": VERMILION, "marker": "^"})
SUBJECT_COLOURS = (BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE, GREY)
SUBJECT_MARKERS = ("o", "s", "D", "v", "P", "X")
MOST_NAMED = 14  # subjects in a legend
MOST_LETTERS, LEGEND_LETTERS = 26, 66  # of a name in a legend, and of a row of it
MOST_SHOWN = 400  # samples of a domain: more would hide each other
PERPLEXITY = 30.0
FIRST_DIMENSIONS = 50  # what PCA leaves t-SNE to work on


def pca_figure(shift: DomainShift) -> Figure:
    """Both domains on the two directions in which their samples together vary most, by domain and by subject."""
    shown = [_shown(samples) for samples in (shift.a, shift.b)]
    model = PCA(min(2, *np.shape(shift.a.values), *np.shape(shift.b.values)), random_state=0)
    model.fit(np.concatenate([shift.a.values, shift.b.values]))
    points = [_two_columns(model.transform(samples.values)) for samples in shown]
    shares = [*model.explained_variance_ratio_, 0.0]
    return _figure(shift, shown, points, names=[f"Component {place + 1}, {shares[place]:.0%} of the variance"
                                                for place in range(2)])  # fmt: skip


def tsne_figure(shift: DomainShift) -> Figure:
    """Both domains as t-SNE lays them out, neighbours near each other, by domain and by subject.

    At most 400 samples of each domain, evenly over its subjects; reduced by PCA to 50 dimensions first. Source: van der
    Maaten and Hinton 2008, JMLR 9:2579-2605.
    """
    shown = [_shown(samples) for samples in (shift.a, shift.b)]
    pooled = np.concatenate([samples.values for samples in shown])
    reduced = PCA(min(FIRST_DIMENSIONS, *pooled.shape), random_state=0).fit_transform(pooled)
    model = TSNE(
        perplexity=min(PERPLEXITY, (len(pooled) - 1) / 3),
        init="pca" if reduced.shape[1] > 1 else "random",
        random_state=shift.features.seed,
    )
    with threadpool_limits(1):  # its threads wait for each other where cores are busy: seven times slower
        points = np.split(model.fit_transform(reduced), [len(shown[0].values)])
    return _figure(shift, shown, points, names=["", ""])


def _shown(samples: Samples) -> Samples:
    rows = np.linspace(0, len(samples.values) - 1, min(len(samples.values), MOST_SHOWN)).astype(int)
    return Samples(samples.values[rows], tuple(samples.subjects[row] for row in rows), samples.name)


def _two_columns(points: np.ndarray) -> np.ndarray:
    return np.pad(points, [(0, 0), (0, 2 - points.shape[1])])


def _figure(shift: DomainShift, shown: Sequence[Samples], points: Sequence[np.ndarray], *, names: list[str]) -> Figure:
    figure = Figure(figsize=(11, 5.2), layout="constrained")
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    left.set_ylabel(names[1], color=INK)
    for axes in (left, right):
        axes.set_xlabel(names[0], color=INK)
    _draw_domains(left, shown, points)
    _draw_subjects(right, shift, shown, points)
    if not any(names):
        left.tick_params(length=0, labelleft=False, labelbottom=False)
        right.tick_params(length=0, labelleft=False, labelbottom=False)
    return figure


def _draw_domains(axes: Axes, shown: Sequence[Samples], points: Sequence[np.ndarray]) -> None:
    tidy(axes, title="By domain")
    handles = []
    for samples, place, look, hollow in zip(shown, points, DOMAIN_LOOKS, (False, True), strict=True):
        _scatter(axes, place, **look, hollow=hollow)
        handles.append(_handle(**look, hollow=hollow, label=samples.name))
    _legend(axes, handles)


def _draw_subjects(axes: Axes, shift: DomainShift, shown: Sequence[Samples], points: Sequence[np.ndarray]) -> None:
    """A colour and shape for each subject; the second domain's are hollow."""
    labels = [_labels(samples, letter, shift) for samples, letter in zip(shown, "AB", strict=True)]
    order = list(dict.fromkeys([*labels[0], *labels[1]]))
    looks = {label: _look(number) for number, label in enumerate(order)}
    tidy(axes, title=f"By subject ({len(order)}); hollow: second domain")
    for own, place, hollow in zip(labels, points, (False, True), strict=True):
        for label in dict.fromkeys(own):
            rows = np.array([other == label for other in own])
            _scatter(axes, place[rows], **looks[label], hollow=hollow)
    if len(order) <= MOST_NAMED:
        first = set(labels[0])
        _legend(axes, [_handle(**looks[label], hollow=label not in first, label=label) for label in order])


def _labels(samples: Samples, letter: str, shift: DomainShift) -> list[str]:
    """Names of subjects; those that other persons of the other domain have too get the domain's letter."""
    shared = set(shift.a.subjects) & set(shift.b.subjects) if not shift.paired else set()
    return [f"{name} ({letter})" if name in shared else name for name in samples.subjects]


def _look(number: int) -> dict[str, str]:
    rounds, place = divmod(number, len(SUBJECT_COLOURS))
    return {"color": SUBJECT_COLOURS[place], "marker": SUBJECT_MARKERS[rounds % len(SUBJECT_MARKERS)]}


def _scatter(axes: Axes, points: np.ndarray, *, color: str, marker: str, hollow: bool) -> None:
    axes.scatter(
        points[:, 0], points[:, 1], s=17, marker=marker, alpha=0.7, linewidths=0.9, edgecolors=color,
        facecolors="none" if hollow else color, rasterized=True,
    )  # fmt: skip


def _handle(*, color: str, marker: str, hollow: bool, label: str) -> Line2D:
    face = "none" if hollow else color
    label = plain(label if len(label) <= MOST_LETTERS else f"{label[:MOST_LETTERS - 1]}…")
    return Line2D([], [], ls="", marker=marker, color=color, markerfacecolor=face, markersize=6, label=label)


def _legend(axes: Axes, handles: Sequence[Line2D]) -> None:
    """Below the axes, in as many columns as they are wide."""
    longest = max(len(handle.get_label()) for handle in handles)
    axes.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(0, -0.14 if axes.get_xlabel() else -0.03), frameon=False,
        ncols=min(max(LEGEND_LETTERS // (longest + 4), 1), len(handles)), labelcolor=INK, fontsize=9, borderpad=0,
        handletextpad=0.2, columnspacing=1,
    )  # fmt: skip
