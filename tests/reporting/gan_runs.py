"""Folders as a generator's pre-training leaves them, with plausible numbers and no training."""
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from mstl.files import write_json, write_text
from mstl.training.sheets import write_sheet

BASELINES = {
    "mean_fill": {"hidden_mae": 0.12, "hidden_ssim": 0.31},
    "gaussian": {"hidden_mae": 0.07, "hidden_ssim": 0.55},
}
LOSSES = ("loss", "adversarial_loss", "l1_loss", "discriminator_loss")


def gan_history(epochs: int, *, validation: bool = True) -> pd.DataFrame:
    """Losses that fall, a hidden error from 0.2 to about 0.04 and an SSIM that rises; epoch 30 is best."""
    epoch = np.arange(1, epochs + 1)
    wave = 0.02 * np.cos(epoch * 1.7)
    history = pd.DataFrame({"epoch": epoch, "learning_rate": 2e-4})
    history["l1_loss"] = 0.05 + 0.25 * np.exp(-epoch / 8) + 0.1 * wave
    history["adversarial_loss"] = 0.9 + 0.8 * (1 - np.exp(-epoch / 15)) + wave
    history["discriminator_loss"] = 0.62 - 0.3 * (1 - np.exp(-epoch / 15)) + wave
    history["loss"] = history["adversarial_loss"] + 100 * history["l1_loss"]
    if validation:
        for name in LOSSES:
            history[f"val_{name}"] = 1.1 * history[name]
        history["val_hidden_mae"] = 0.04 + 0.16 * np.exp(-epoch / 8) + np.maximum(epoch - 30, 0) * 5e-4
        history["val_hidden_ssim"] = 0.8 - 0.6 * np.exp(-epoch / 8)
    history["seconds"] = 31.5
    return history


def gan_subjects(mae: float = 0.035, *, sides: tuple[str, ...] = ("validation", "test"), each: int = 3) -> pd.DataFrame:
    """A row a held-out subject: `mae` for the first of each side, more for the others."""
    rows = []
    for side in sides:
        for number in range(each):
            error = mae * (1 + 0.2 * number)
            rows.append({"subject": f"{side[0]}{number:02d}", "side": side, "mae": error, "ssim": 0.85 - 2 * error,
                         "mean_fill_mae": 0.12, "mean_fill_ssim": 0.31, "gaussian_mae": 0.07, "gaussian_ssim": 0.55,
                         "squares_mae": error / 2, "squares_mean_fill_mae": 0.2, "squares_gaussian_mae": 0.03,
                         "slices": 120 + number})
    return pd.DataFrame(rows)


def write_gan_run(
    folder: Path, *, epochs: int = 40, wanted: int = 40, validation: bool = True, every: int = 10, channels: int = 1
) -> Path:
    """A folder of `epochs` of `wanted` epochs; restoration.csv is there where all are done."""
    experiment = {
        "pretraining": "gan", "prepared": "prepared", "train_subjects": ["a", "b"],
        "validation_subjects": ["04"] if validation else [], "test_subjects": ["d"], "ratios": [0.6, 0.2, 0.2],
        "corruption": "checkerboard", "tile": 16, "l1_weight": 100.0, "discriminator_weight": 0.5, "width": 32,
        "activation": "tanh", "norm_mode": "instance", "epochs": wanted, "crop": None, "init": "random",
    }
    write_text(folder / "experiment.yaml", yaml.safe_dump(experiment, sort_keys=False))
    write_text(folder / "history.csv", gan_history(epochs, validation=validation).to_csv(index=False))
    write_json(folder / "preparation.json", {"modalities": ["flair"], "normalise": "max"})
    write_json(folder / "environment.json", {"packages": {"numpy": "2.0"}, "seed": 0})
    if validation:
        write_json(folder / "baselines.json", BASELINES)
        for epoch in sorted({*range(0, epochs + 1, every), epochs}):
            _write_samples(folder / "samples" / f"epoch-{epoch:04d}.png", epoch, channels)
        if epochs == wanted:
            write_text(folder / "restoration.csv", gan_subjects().to_csv(index=False))
    return folder


def _write_samples(path: Path, epoch: int, channels: int, *, side: int = 96, count: int = 4) -> None:
    """Discs with a bright spot; the output comes nearer to them with the epochs."""
    rng = np.random.default_rng(epoch)
    y, x = np.mgrid[-1:1:side * 1j, -1:1:side * 1j]
    disc = np.where((y / 0.85) ** 2 + (x / 0.65) ** 2 < 1, 0.2 * np.sin(7 * x) * np.cos(5 * y), -1.0)
    target = np.stack([np.where((x - 0.2) ** 2 + (y - 0.1 * n) ** 2 < 0.02, 0.9, disc) for n in range(count)])
    target = np.repeat(target[..., None], channels, axis=-1).astype(np.float32)
    board = (np.add.outer(np.arange(side) // 16, np.arange(side) // 16) % 2 == 0)[None, ..., None]
    corrupted = np.where(board, 1.0, target)
    output = target + rng.normal(0, 0.6 * np.exp(-epoch / 10), target.shape)
    names = [f"s{n} slice {40 + n}" for n in range(count)]
    write_sheet(path, corrupted, output, target, names=names, title=f"epoch {epoch}" if epoch else "before training")
