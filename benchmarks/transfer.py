"""Speed and memory of transfers: 24 million parameters against Keras' own loading, a 98 MB file opened, peak memory.

Usage: python benchmarks/transfer.py [REPEATS]

Loadings and transfers alternate in one process; the first of each does not count, figures are medians. Peak memory is
that of a child process, above the built model. Targets: at most 1.3 times Keras; opened in 0.5 s; the largest tensor.
"""
from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

REPEATS = 15


def build():
    import mstl

    return mstl.models.build_model("unet-resnet34", seed=0, channels=1)


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def opened(path: Path) -> int:
    from mstl.transfer.checkpoint import Checkpoint

    with Checkpoint.open(path) as checkpoint:
        return checkpoint.parameters


def memory(key: str) -> float:
    """A line of the process's status in MB: VmRSS now, VmHWM at its peak."""
    return int(Path("/proc/self/status").read_text().split(f"{key}:")[1].split()[0]) / 1024


def measure_memory(path: Path, way: str) -> float:
    """Peak of a transfer in MB above the built model, all libraries warm."""
    from mstl.transfer.plan import transfer_weights

    model = build()
    model.get_layer(index=1).get_weights()
    with tempfile.TemporaryDirectory() as folder:
        small = build_small()
        small.save_weights(Path(folder) / "small.h5")
        transfer_weights(Path(folder) / "small.h5", small)
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    model.load_weights(path) if way == "keras" else transfer_weights(path, model)
    return memory("VmHWM") - before


def build_small():
    from mstl.models.unet_small import unet_small

    return unet_small(channels=1, width=2, depth=1)


def main(repeats: int) -> None:
    from mstl.transfer.plan import transfer_weights

    with tempfile.TemporaryDirectory() as folder:
        path, model = Path(folder) / "weights.h5", build()
        model.save_weights(path)
        ways = {
            "Keras load_weights": lambda: model.load_weights(path),
            "transfer_weights": lambda: transfer_weights(path, model),
            "Checkpoint.open": lambda: opened(path),
        }
        times = {name: [] for name in ways}
        for _ in range(repeats + 1):
            for name, way in ways.items():
                times[name].append(seconds(way))
        medians = {name: statistics.median(some[1:]) for name, some in times.items()}
        for name, median in medians.items():
            print(f"{name}: {median:.3f} s, fastest {min(times[name][1:]):.3f} s")
        print(f"transfer / Keras: {medians['transfer_weights'] / medians['Keras load_weights']:.2f}")
        largest = max(4 * weight.shape.num_elements() for weight in model.weights) / 2**20
        for way in ("keras", "transfer"):
            command = [sys.executable, __file__, str(path), way]
            answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            print(f"peak above the model, {way}: {json.loads(answer.splitlines()[-1]):.1f} MB "
                  f"(largest tensor {largest:.1f} MB, file {path.stat().st_size / 2**20:.0f} MB)")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(measure_memory(Path(sys.argv[1]), sys.argv[2])))
    else:
        main(int(sys.argv[1]) if len(sys.argv) == 2 else REPEATS)
