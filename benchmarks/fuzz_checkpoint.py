"""Damage weights files in thousands of ways: each must be read or refused, soon and within twice the file's memory.

Usage: python benchmarks/fuzz_checkpoint.py [MUTANTS] [SEED] [FOLDER_OF_MORE_H5_FILES]

Every mutant is opened, planned into a model, and all its tensors are read, in a worker process with a time limit. Most
damage aims at structure, that is, outside of array data, where bytes mean addresses, sizes and types. A `.keras`
archive is damaged as it lies there, or inside and packed again with right checksums. Files come from this program
(tf-keras) and from the folder. Prints counts by file; what was neither read nor refused is kept and named.
"""
from __future__ import annotations

import io
import multiprocessing
import random
import sys
import tempfile
import time
import zipfile
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path

import h5py

MUTANTS, SEED = 12_000, 1
TIME_LIMIT = 10.0  # seconds for one mutant, on a busy machine
KINDS = ("flip", "flip", "byte", "ones", "zeros", "copy", "truncate")
PLACES = 0.9  # of the mutants are damaged in their structure only
SLACK = 4e6  # bytes that Python, HDF5 and malloc may take beside the file


def structure_of(data: bytes) -> list[int]:
    """Offsets of the bytes of an HDF5 file that belong to no array."""
    inside = bytearray(len(data))

    def mark(_: str, item: h5py.HLObject) -> None:
        if isinstance(item, h5py.Dataset) and item.id.get_offset() is not None:
            start, count = item.id.get_offset(), item.id.get_storage_size()
            inside[start : start + count] = b"\1" * count

    with h5py.File(io.BytesIO(data)) as file:
        file.visititems(mark)
    return [place for place, mask in enumerate(inside) if not mask]


def damaged(data: bytes, places: list[int] | range, rng: random.Random) -> bytes:
    """A copy with one to eight faults of one kind."""
    mutant, kind = bytearray(data), rng.choice(KINDS)
    if kind == "truncate":
        return bytes(mutant[: rng.randrange(len(mutant))])
    for _ in range(rng.choice((1, 1, 1, 2, 4, 8))):
        place, count = rng.choice(places), rng.choice((1, 2, 4, 8, 16))
        end = min(place + count, len(mutant))
        if kind == "flip":
            mutant[place] ^= 1 << rng.randrange(8)
        elif kind == "byte":
            mutant[place] = rng.randrange(256)
        elif kind == "copy":
            source = rng.choice(places)
            mutant[place:end] = data[source : source + end - place].ljust(end - place, b"\0")
        else:
            mutant[place:end] = (b"\xff" if kind == "ones" else b"\0") * (end - place)
    return bytes(mutant)


class Mutants:
    """Damaged copies of one file."""

    def __init__(self, path: Path) -> None:
        self.path, self.data = path, path.read_bytes()
        self.members: dict[str, bytes] = {}
        if path.suffix == ".keras":
            with zipfile.ZipFile(path) as archive:
                self.members = {name: archive.read(name) for name in archive.namelist()}
        self.places = range(len(self.data)) if self.members else structure_of(self.data)
        self.inside = {
            name: structure_of(data) if name.endswith(".h5") else range(len(data))
            for name, data in self.members.items()
        }

    def draw(self, rng: random.Random) -> bytes:
        aimed = rng.random() < PLACES
        if not self.members or rng.random() < 0.2:
            return damaged(self.data, self.places if aimed else range(len(self.data)), rng)
        victim, packed = rng.choice(list(self.members)), io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name, data in self.members.items():
                archive.writestr(name, damaged(data, self.inside[name], rng) if name == victim else data)
        return packed.getvalue()


def write_files(folder: Path) -> None:
    """One small model in each format of tf-keras."""
    from mstl._keras import keras
    from mstl.models.unet_small import unet_small

    inner = unet_small(channels=3, width=2, depth=1)
    image = keras.layers.Input((None, None, 1))
    model = keras.Model(image, inner(keras.layers.Conv2D(3, 1)(image)))
    model.compile("adam", "mse")
    model.save_weights(folder / "tf_keras_weights.h5")
    model.save_weights(folder / "tf_keras.weights.h5")
    model.save(folder / "tf_keras_model.h5")
    model.save(folder / "tf_keras.keras")


def peak_memory() -> int:
    """Largest resident set since the last `forget_peak`, in bytes."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def forget_peak() -> int:
    """Start a new peak at today's resident set; returns it."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak_memory()


def work(pipe: Connection) -> None:
    """Answer every path with what happened to it and the memory that it took."""
    from mstl.errors import TransferError
    from mstl.models.pix2pix import generator
    from mstl.models.unet_small import unet_small
    from mstl.transfer.checkpoint import Checkpoint
    from mstl.transfer.plan import plan_transfer

    models = [generator(width=4), unet_small(channels=1, width=2, depth=1)]

    def tried(path: str) -> str:
        try:
            with Checkpoint.open(path) as checkpoint:
                for model in models:
                    str(plan_transfer(checkpoint, model))
                    plan_transfer(checkpoint, model, match="order")
                for tensor in checkpoint.tensors.values():
                    tensor.read()
        except TransferError as error:
            return "refused" if len(str(error).splitlines()) == 1 else f"refused in many lines: {error}"
        except Exception as error:
            return f"other: {type(error).__name__}: {error}"
        return "read"

    pipe.send("ready")
    while path := pipe.recv():
        before = forget_peak()
        pipe.send((tried(path), peak_memory() - before))


class Worker:
    """A process that opens files, started anew where it hangs or dies."""

    def __init__(self) -> None:
        self.context = multiprocessing.get_context("spawn")
        self.start()

    def start(self) -> None:
        self.pipe, other = self.context.Pipe()
        self.process = self.context.Process(target=work, args=(other,), daemon=True)
        self.process.start()
        other.close()
        self.pipe.recv()

    def open(self, path: Path) -> tuple[str, int]:
        self.pipe.send(str(path))
        try:
            if self.pipe.poll(TIME_LIMIT):
                return self.pipe.recv()
            answer = "hang"
        except (EOFError, ConnectionResetError):
            answer = "crash"
        self.process.kill()
        self.start()
        return answer, 0


def main(mutants: int, seed: int, more: list[Path]) -> None:
    kept = Path(tempfile.mkdtemp(prefix="fuzz-kept-"))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_files(folder)
        files = [Mutants(path) for path in sorted(folder.iterdir()) + more]
        worker, rng, counts, started = Worker(), random.Random(seed), Counter(), time.monotonic()
        for file in files:
            own, most = Counter(), 0
            victim = folder / f"mutant{file.path.suffix}"
            for path in [file.path] * 3:  # the intact file first, until nothing is new to the process
                if worker.open(path)[0] != "read":
                    raise SystemExit(f"{path} is not read intact")
            for number in range(-(-mutants // len(files))):
                victim.write_bytes(file.draw(rng))
                answer, memory = worker.open(victim)
                heavy = memory > 2 * len(file.data) + SLACK
                most = max(most, memory)
                own[answer.split(":")[0]] += 1
                own["heavy"] += heavy
                if heavy or answer not in ("read", "refused"):
                    copy = kept / f"{file.path.stem}-{number}{file.path.suffix}"
                    copy.write_bytes(victim.read_bytes())
                    print(f"  {copy}: {answer[:200]}, {memory / 1e6:.1f} MB", flush=True)
            size = f"{len(file.data) / 1e6:.2f} MB"
            print(f"{file.path.name} ({size}): {dict(own)}, peak {most / 1e6:.1f} MB", flush=True)
            counts += own
        worker.pipe.send(None)
    print(f"all {sum(count for answer, count in counts.items() if answer != 'heavy')}: {dict(counts)}, "
          f"{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:3]]
    others = [path for name in sys.argv[3:] for path in sorted(Path(name).glob("*.h5"))]
    main(*given, *(MUTANTS, SEED)[len(given) :], others)
