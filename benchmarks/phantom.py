"""Seconds a synthetic case takes on one core, made and written, for every scanner profile."""
from __future__ import annotations

import os
import tempfile
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"

from mstl.data.heads.scanner import RAW_SCANNERS, SCANNERS  # noqa: E402
from mstl.data.phantom import write_phantoms  # noqa: E402

CASES = 3
MODALITIES = ("flair", "t1", "t2")


def measure(scanner: str, **patient: str | float) -> float:
    """Processor seconds a case of three modalities."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        write_phantoms(f"{folder}/out", subjects=CASES, scanner=scanner, modalities=MODALITIES, **patient)
        return (time.process_time() - started) / CASES


if __name__ == "__main__":
    measure("quick")  # loads the template
    for name in (*SCANNERS, "quick-skull", "research-skull", *RAW_SCANNERS):
        plain, strong = (measure(name, randomise=strength) for strength in (0.0, 1.0))
        tumour = measure(name, disease="tumour")
        print(f"{name:15s} {plain:5.2f} s a case, {strong:5.2f} s with randomise 1, {tumour:5.2f} s with a tumour")
