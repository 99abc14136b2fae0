"""Figure of a generator's pre-training: how well it restores what is hidden, and the losses of both networks."""
from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mstl.reporting.figures import BLUE, INK, ORANGE, SKY, TRAINING, VALIDATION, tidy

SCORES = {"hidden_mae": "Error in hidden pixels, validation", "hidden_ssim": "SSIM in hidden pixels, validation"}
BASELINES = {"mean_fill": "mean fill", "gaussian": "Gaussian inpainting"}
LOOKS = {
    "mean_fill": {"color": ORANGE, "ls": (0, (1.2, 1.2))},
    "gaussian": {"color": BLUE, "ls": (0, (5, 1.5, 1, 1.5))},
}
PART_LOOKS = ({"color": SKY, "ls": "-", "lw": 1.3}, {"color": ORANGE, "ls": (0, (1.2, 1.2)), "lw": 1.6})
ROW_INCHES = 3.0


def restoration_curves(
    history: pd.DataFrame,
    baselines: Mapping,
    *,
    l1_weight: float,
    discriminator_weight: float,
    adversarial_weight: float = 1.0,
) -> Figure:
    """Curves over the epochs: hidden pixels of validation beside the baselines, the generator's loss, the other's.

    history: columns epoch, loss, adversarial_loss, l1_loss, discriminator_loss and, with validation, the same with
    `val_`, val_hidden_mae and val_hidden_ssim; absent ones are left out, as of a discriminator where there was none.
    baselines: {"mean_fill": {"hidden_mae": ..., "hidden_ssim": ...}, "gaussian": ...}, any of them. The weights are
    those of the losses.
    """
    scores = [name for name in SCORES if f"val_{name}" in history and history[f"val_{name}"].notna().any()]
    rows = 2 if scores else 1
    figure = Figure(figsize=(11, ROW_INCHES * rows), layout="constrained")
    panels = figure.subplots(rows, 2, squeeze=False)
    for axes, name in zip(panels[0], scores, strict=False):
        _draw_score(axes, history, name, baselines)
    if len(scores) == 1:
        panels[0][1].set_axis_off()
    _draw_generator(panels[-1][0], history, l1_weight, adversarial_weight)
    if "discriminator_loss" in history:
        _draw_discriminator(panels[-1][1], history, discriminator_weight)
    else:
        panels[-1][1].set_axis_off()
    for axes in figure.axes:
        axes.set_xlabel("Epoch", color=INK)
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        if len(history) == 1:
            axes.set_xlim(history["epoch"].iloc[0] - 0.5, history["epoch"].iloc[0] + 0.5)
    return figure


def best_restoration(history: pd.DataFrame) -> tuple[int, float] | None:
    """Epoch of the lowest validation error in hidden pixels and that error; None where no epoch was validated."""
    if "val_hidden_mae" not in history or not history["val_hidden_mae"].notna().any():
        return None
    row = history.loc[history["val_hidden_mae"].idxmin()]
    return int(row["epoch"]), float(row["val_hidden_mae"])


def _draw_score(axes: Axes, history: pd.DataFrame, name: str, baselines: Mapping) -> None:
    tidy(axes, title=SCORES[name])
    _plot(axes, history, f"val_{name}", **VALIDATION)
    values = {baseline: baselines.get(baseline, {}).get(name) for baseline in BASELINES}
    values = {baseline: value for baseline, value in values.items() if value is not None and math.isfinite(value)}
    for baseline, value in values.items():
        axes.axhline(value, lw=1.6, **LOOKS[baseline])
        above = value == max(values.values())
        axes.annotate(
            f"{BASELINES[baseline]} {value:.3f}", (1, value), xycoords=("axes fraction", "data"),
            xytext=(-2, 3 if above else -4), textcoords="offset points", ha="right",
            va="bottom" if above else "top", fontsize=9, color=INK,
        )
    _mark_best(axes, history, name)
    axes.margins(y=0.12)
    if name == "hidden_mae":
        axes.set_ylim(bottom=0)


def _mark_best(axes: Axes, history: pd.DataFrame, name: str) -> None:
    """Mark the epoch of the lowest error and write its value over the panel, where no curve can run through it."""
    best = best_restoration(history)
    if best is None:
        return
    value = history.loc[history["epoch"] == best[0], f"val_{name}"].iloc[0]
    axes.axvline(best[0], color=INK, lw=0.9, ls=":", zorder=0)
    axes.plot(best[0], value, "o", color=VALIDATION["color"], ms=6, zorder=5)
    axes.set_title(f"{value:.3f} in epoch {best[0]}", loc="right", fontsize=9, color=INK)


def _draw_generator(axes: Axes, history: pd.DataFrame, weight: float, adversarial_weight: float) -> None:
    tidy(axes, title="Generator loss")
    _plot(axes, history, "loss", **TRAINING)
    _plot(axes, history, "val_loss", **VALIDATION)
    if "l1_loss" in history:
        _plot(axes, history.assign(l1_loss=weight * history["l1_loss"]), "l1_loss",
              label=f"part of the error, {weight:g} × L1", **PART_LOOKS[0])
    if "adversarial_loss" in history:
        _plot(axes, history.assign(adversarial_loss=adversarial_weight * history["adversarial_loss"]),
              "adversarial_loss", label="adversarial part", **PART_LOOKS[1])
    axes.set_ylim(bottom=0)
    _legend(axes)


def _draw_discriminator(axes: Axes, history: pd.DataFrame, weight: float) -> None:
    """Its loss, and where it would be if it could not tell restored images from real ones: both at 0.5."""
    tidy(axes, title="Discriminator loss")
    _plot(axes, history, "discriminator_loss", **TRAINING)
    _plot(axes, history, "val_discriminator_loss", **VALIDATION)
    axes.axhline(2 * math.log(2) * weight, color=INK, lw=0.9, ls=":", label="cannot tell restored from real")
    axes.margins(y=0.12)
    axes.set_ylim(bottom=0)
    _legend(axes)


def _plot(axes: Axes, history: pd.DataFrame, column: str, **look: object) -> None:
    if column in history:
        axes.plot(history["epoch"], history[column], marker="o" if len(history) < 3 else None, ms=4, **look)


def _legend(axes: Axes) -> None:
    axes.legend(frameon=False, labelcolor=INK, fontsize=9, handlelength=2.6)
