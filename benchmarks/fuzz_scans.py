"""Damage scans of every format in thousands of ways: each must be read or refused, soon and within its own size.

Usage: python benchmarks/fuzz_scans.py [MUTANTS] [SEED]

Every mutant is read by `read_grid` and `read_volume` in a worker process with limits of time and address space. Most
damage aims at headers: bits and bytes, numbers that are too large or none, fields of text lost, doubled or exchanged;
of packed files inside, packed again with right checksums, or as they lie there. Files are cut short too. Prints counts
by file; what was neither read nor refused, took more than four times the voxels' memory, or made a library write past
Python is kept and named.
"""
from __future__ import annotations

import gzip
import multiprocessing
import os
import random
import resource
import shutil
import struct
import sys
import tempfile
import time
import warnings
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

MUTANTS, SEED = 6_000, 1
TIME_LIMIT = 10.0  # seconds for one mutant, on a busy machine
ADDRESSES = 6 << 30  # bytes of address space of the worker: what is allocated beyond is an error
SHAPE = (64, 56, 40)
HEADER = 600  # bytes at the start of a file that are damaged most
MEMORY = 4 * np.prod(SHAPE) * 2 + 6e6  # bytes: four times the voxels, and what Python and malloc may take beside
WORDS = ("0", "-1", "1", "2", "3", "4", "nan", "inf", "-inf", "1e308", "1e-320", "65536", "2147483648",
         "1000000000000", "9223372036854775807", "99999999999999999999999", "", "(", ")", "(1,2)", "none", "(none)",
         "LIST", "LOCAL", "%d", "%s%n%s", "True", "False", "raw", "gzip", "ascii", "bzip2", "hex", "double", "block",
         "MET_OTHER", "vector", "RGB-color", "/etc/passwd", "../x.raw", ".", "a" * 300, "1 " * 40, "\0", "\xff", "=",
         ":=", ":")  # fmt: skip
PACKINGS = (">h", "<h", ">i", "<i", ">f", "<f", "<q", "<d")
NUMBERS = (0, -1, 1, 2, 7, 8, 255, 32767, -32768, 2**31 - 1, -(2**31), 2**62, 1e30, -1e30, float("nan"), float("inf"))


def write_files(folder: Path) -> list[Path]:
    """One small scan in each format; returns the names to open."""
    import nibabel as nib
    import SimpleITK as sitk

    data = np.random.default_rng(0).integers(0, 400, SHAPE).astype(np.int16)
    affine = np.array([[-0.9, 0.05, 0.2, 80], [0.04, 1.1, -0.6, -60], [0.1, 0.3, 5.4, -41], [0, 0, 0, 1.0]])
    classes = {
        "one.nii": nib.Nifti1Image, "one.nii.gz": nib.Nifti1Image, "two.nii": nib.Nifti2Image,
        "two.nii.gz": nib.Nifti2Image, "pair.hdr": nib.Nifti1Pair, "pair2.hdr": nib.Nifti2Pair,
        "spm.hdr": nib.Spm99AnalyzeImage, "analyze.hdr": nib.AnalyzeImage, "surfer.mgh": nib.MGHImage,
        "surfer.mgz": nib.MGHImage,
    }  # fmt: skip
    for name, image_class in classes.items():
        nib.save(image_class(data, affine), folder / name)
    four = np.stack([data[..., ::2], data[..., 1::2]], axis=-1)
    nib.save(nib.Nifti1Image(four, affine), folder / "four.nii.gz")
    image = sitk.GetImageFromArray(data.T)
    image.SetSpacing((0.9, 1.1, 5.5))
    image.SetMetaData("0008|0060", "MR")
    names = ["plain.nrrd", "packed.nrrd", "loose.nhdr", "loosepacked.nhdr", "plain.mha", "packed.mha", "apart.mhd",
             "apartpacked.mhd"]  # fmt: skip
    for name in names:
        sitk.WriteImage(image, str(folder / name), useCompression="packed" in name)
    return [folder / name for name in (*classes, "four.nii.gz", *names)]


def parts_of(path: Path) -> list[Path]:
    """The files that lie in the folder under the same stem, the named one first."""
    stem = path.name.split(".")[0]
    return [path, *sorted(file for file in path.parent.glob(f"{stem}.*") if file != path and _partner(path, file))]


def _partner(path: Path, file: Path) -> bool:
    return file.suffix in {".hdr": (".img", ".mat"), ".nhdr": (".raw", ".gz"), ".mhd": (".raw", ".zraw")}.get(
        path.suffix, ()
    )


def damaged_bytes(data: bytes, rng: random.Random) -> bytes:
    """A copy with one to eight faults, most of them in the header."""
    mutant = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 8))):
        place = rng.randrange(min(len(mutant), HEADER if rng.random() < 0.9 else len(mutant)))
        kind = rng.choice(("flip", "byte", "number", "number", "zeros", "ones"))
        if kind == "flip":
            mutant[place] ^= 1 << rng.randrange(8)
        elif kind == "byte":
            mutant[place] = rng.randrange(256)
        elif kind == "number":
            packing, number = rng.choice(PACKINGS), rng.choice(NUMBERS)
            try:
                field = struct.pack(packing, number if packing[1] in "fd" else int(number))
            except (struct.error, OverflowError, ValueError):
                continue
            place -= place % 2
            mutant[place : place + len(field)] = field[: len(mutant) - place]
        else:
            end = min(place + rng.choice((2, 4, 8, 16)), len(mutant))
            mutant[place:end] = (b"\0" if kind == "zeros" else b"\xff") * (end - place)
    return bytes(mutant)


def damaged_text(data: bytes, rng: random.Random) -> bytes:
    """A copy of a text header (and what follows it) with one to four lines or words damaged."""
    end = data.find(b"\n\n") if data.startswith(b"NRRD") else data.find(b"ElementDataFile")
    end = len(data) if end < 0 else end
    if not data.startswith(b"NRRD"):
        end = len(data) if b"\n" not in data[end:] else data.index(b"\n", end)
    lines = data[:end].decode("latin-1").split("\n")
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        place = rng.randrange(len(lines))
        words = lines[place].split(" ")
        kind = rng.choice(("word", "word", "word", "word", "add", "lose", "double", "exchange", "value"))
        if kind == "word":
            words[rng.randrange(len(words))] = rng.choice(WORDS)
        elif kind == "add":
            words.insert(rng.randrange(len(words) + 1), rng.choice(WORDS))
        elif kind == "value":
            mark = rng.choice((": ", " = ", ":=", ""))
            words = [lines[place].split(mark)[0] + mark + rng.choice(WORDS)] if mark else [rng.choice(WORDS)]
        lines[place] = " ".join(words)
        if kind == "lose" and len(lines) > 1:
            del lines[place]
        elif kind == "double":
            lines.insert(place, lines[place])
        elif kind == "exchange":
            other = rng.randrange(len(lines))
            lines[place], lines[other] = lines[other], lines[place]
    return "\n".join(lines).encode("latin-1") + data[end:]


def mutate(path: Path, rng: random.Random) -> None:
    """Damage one of the files of the scan `path`."""
    victim = path if rng.random() < 0.85 else rng.choice(parts_of(path))
    data = victim.read_bytes()
    packed = victim.suffix in (".gz", ".mgz") and rng.random() < 0.8
    data = gzip.decompress(data) if packed else data
    if rng.random() < 0.1:
        data = data[: rng.randrange(len(data))]
    elif victim.suffix in (".nrrd", ".nhdr", ".mha", ".mhd") and rng.random() < 0.85:
        data = damaged_text(data, rng)
    else:
        data = damaged_bytes(data, rng)
    victim.write_bytes(gzip.compress(data, 1, mtime=0) if packed else data)


def peak_memory() -> int:
    """Largest resident set since the last `forget_peak`, in bytes."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def forget_peak() -> int:
    """Start a new peak at today's resident set; returns it."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak_memory()


def work(pipe: Connection, noise: str) -> None:
    """Answer every path with what happened to it, the memory that it took, and the bytes written past Python."""
    stream = os.open(noise, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    from mstl.data.volume import read_grid, read_volume
    from mstl.errors import InputError

    warnings.simplefilter("ignore", UserWarning)  # of mstl, on pairs without orientation
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))

    def tried(path: str) -> str:
        try:
            read_grid(path)
            read_volume(path, allow_constant=True)
        except InputError as error:
            named = path.split("#")[0].rsplit(".", 1)[0] in str(error)
            lines = len(str(error).splitlines())
            return "refused" if lines == 1 and named else f"refused in {lines} lines, named {named}: {error}"
        except Exception as error:
            return f"other: {type(error).__name__}: {error}"
        return "read"

    pipe.send("ready")
    while path := pipe.recv():
        before, written = forget_peak(), os.stat(noise).st_size
        answer = tried(path)
        pipe.send((answer, peak_memory() - before, os.stat(noise).st_size - written))


class Worker:
    """A process that reads scans, started anew where it hangs or dies."""

    def __init__(self, noise: Path) -> None:
        self.context, self.noise = multiprocessing.get_context("spawn"), noise
        self.start()

    def start(self) -> None:
        self.pipe, other = self.context.Pipe()
        self.process = self.context.Process(target=work, args=(other, str(self.noise)), daemon=True)
        self.process.start()
        other.close()
        self.pipe.recv()

    def read(self, path: str) -> tuple[str, int, int]:
        self.pipe.send(path)
        try:
            if self.pipe.poll(TIME_LIMIT):
                return self.pipe.recv()
            answer = "hang"
        except (EOFError, ConnectionResetError):
            answer = "crash"
        self.process.kill()
        self.start()
        return answer, 0, 0


def main(mutants: int, seed: int) -> None:
    kept = Path(tempfile.mkdtemp(prefix="fuzz-kept-"))
    with tempfile.TemporaryDirectory() as temporary:
        intact, folder = Path(temporary) / "intact", Path(temporary) / "mutant"
        intact.mkdir()
        scans = write_files(intact)
        worker, rng = Worker(Path(temporary) / "noise"), random.Random(seed)
        total, started = Counter(), time.monotonic()
        for scan in scans:
            own, most = Counter(), 0
            volume = "#1" if scan.name.startswith("four") else ""
            for _ in range(3):  # the intact file first, until nothing is new to the process
                if (answer := worker.read(f"{scan}{volume}"))[0] != "read":
                    raise SystemExit(f"{scan} is not read intact: {answer}")
            for number in range(-(-mutants // len(scans))):
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                for part in parts_of(scan):
                    shutil.copy(part, folder)
                mutate(folder / scan.name, rng)
                answer, memory, noise = worker.read(f"{folder / scan.name}{volume}")
                own[answer.split(":")[0]] += 1
                most = max(most, memory)
                remarks = {"heavy": memory > MEMORY, "noisy": noise > 0}
                own.update(name for name, is_so in remarks.items() if is_so)
                if any(remarks.values()) or answer not in ("read", "refused"):
                    shutil.copytree(folder, kept / f"{scan.name}-{number}")
                    print(f"  {kept / f'{scan.name}-{number}'}: {answer[:200]}, {memory / 1e6:.1f} MB, noise {noise}")
            print(f"{scan.name}: {dict(own)}, peak {most / 1e6:.1f} MB", flush=True)
            total += own
        worker.pipe.send(None)
    count = sum(count for answer, count in total.items() if answer not in ("heavy", "noisy"))
    print(f"all {count}: {dict(total)}, {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:3]]
    main(*given, *(MUTANTS, SEED)[len(given) :])
