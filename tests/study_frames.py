"""Tables of studies that nobody ran: Dice of patients drawn with known differences and known variances."""
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

COLUMNS = ["strategy", "size", "fold", "seed", "case", "subject", "dice"]


def study_frame(
    gains: Mapping[str, float],
    *,
    patients: int = 12,
    sizes: Sequence[int] = (5, 10, 20),
    folds: int = 2,
    seeds: int = 2,
    sessions: int = 1,
    noise: float = 0.01,
    seed: int = 0,
) -> pd.DataFrame:
    """A study by cross-validation: each patient is tested in one fold, with every seed; `gains` adds to a strategy.

    Noise is between patients (ten times), within a strategy between patients, trainings and cells.
    """
    random = np.random.default_rng(seed)
    level, rows = random.normal(0, 10 * noise, patients), []
    for strategy, gain in gains.items():
        own = random.normal(0, noise, patients)
        for size in sizes:
            mean = 0.75 - 0.5 * size**-0.6 + gain
            for fold in range(folds):
                for number in range(seeds):
                    training = random.normal(0, noise / 2)
                    rows += [(strategy, size, fold, number, f"p{who:02d}-{session}", f"p{who:02d}",
                              mean + level[who] + own[who] + training + random.normal(0, noise))
                             for who in range(fold, patients, folds) for session in range(sessions)]  # fmt: skip
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame.assign(dice=frame["dice"].clip(0, 1))


def pairs_frame(a: Sequence[float], b: Sequence[float], **columns) -> pd.DataFrame:
    """Strategies "a" and "b", one training each, one score a patient."""
    sides = [pd.DataFrame({"strategy": name, "subject": [f"p{number:03d}" for number in range(len(values))],
                           "dice": values}) for name, values in (("a", a), ("b", b))]  # fmt: skip
    frame = pd.concat(sides, ignore_index=True)
    return frame.assign(**{"case": frame["subject"], "size": 5, "fold": 0, "seed": 0, **columns})
