"""Brain extraction by programs that others wrote, where one is installed: mri_synthstrip, hd-bet, bet."""
from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from mstl.data.grid import resample, respaced
from mstl.data.volume import Volume, read_mask, write_volume
from mstl.errors import InputError

TIMEOUT_S = 900
BET_SPACING_MM = 2.0  # bet's surface needs voxels that are about as long as wide


class ToolError(InputError):
    """A program for brain extraction failed; the message says which and why."""


# Hoopes et al. 2022, doi:10.1016/j.neuroimage.2022.119474; Isensee et al. 2019, doi:10.1002/hbm.24750;
# Smith 2002, doi:10.1002/hbm.10062.
TOOLS = ("mri_synthstrip", "hd-bet", "bet")


def found_tools() -> list[str]:
    """Names of the tools that are on the PATH, the best first."""
    return [tool for tool in TOOLS if shutil.which(tool)]


def run_tool(tool: str, image: Volume, *, timeout_s: float = TIMEOUT_S) -> Volume:
    """Brain mask uint8 on the image's grid, as `tool` finds it, in a temporary folder.

    Raises `ToolError` where the program is not on the PATH, fails, takes longer than `timeout_s`, or writes no
    usable mask.
    """
    if not shutil.which(tool):
        raise ToolError(f"{tool} is not on the PATH. Install it, or choose another brain extraction.")
    grid = respaced(image.grid, (BET_SPACING_MM,) * 3) if tool == "bet" else image.grid
    with tempfile.TemporaryDirectory(prefix="mstl-brain-") as folder:
        scan = Path(folder) / "scan.nii.gz"
        write_volume(scan, resample(np.asarray(image.data, dtype=np.float32), image.grid, grid), grid.affine)
        arguments, result = _command(tool, Path(folder), timeout_s)
        _run([tool, *arguments], Path(folder), timeout_s)
        if not result.is_file():
            raise ToolError(f"{tool} ended without an error, but wrote no {result.name}. Check its installation.")
        try:
            mask = read_mask(result, binarise=True)
        except InputError as error:
            raise ToolError(f"{tool} wrote a mask that cannot be read: {error}") from error
    if mask.grid.difference(grid):
        raise ToolError(f"{tool} wrote a mask on another grid ({mask.grid.difference(grid)}) than the scan's.")
    data = resample(mask.data, grid, image.grid, nearest=True)
    if not data.any():
        raise ToolError(f"{tool} found no brain in {image.path or 'the image'}. Check the scan.")
    return Volume(data, image.affine, image.path)


def _command(tool: str, folder: Path, timeout_s: float) -> tuple[list[str], Path]:
    """Arguments of the program, and the mask that it will write."""
    scan, brain = str(folder / "scan.nii.gz"), folder / "brain.nii.gz"
    if tool == "mri_synthstrip":
        return ["-i", scan, "-m", str(brain)], brain
    if tool == "bet":
        return [scan, str(folder / "brain"), "-m", "-n", "-R"], folder / "brain_mask.nii.gz"
    common = ["-i", scan, "-o", str(brain), "-device", "cpu"]
    if "--disable_tta" in _run([tool, "--help"], folder, timeout_s):  # since version 2
        return [*common, "--disable_tta", "--save_bet_mask"], folder / "brain_bet.nii.gz"
    return [*common, "-mode", "fast", "-tta", "0"], folder / "brain_mask.nii.gz"


def _run(command: list[str], folder: Path, timeout_s: float) -> str:
    """What the program prints; it writes compressed NIfTI, as FSL's programs are told by their variable."""
    environment = {**os.environ, "FSLOUTPUTTYPE": "NIFTI_GZ"}
    try:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, text=True, errors="replace", start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
    except OSError as error:
        raise ToolError(f"{command[0]} cannot be run: {error.strerror or error}.") from error
    try:
        output, errors = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # with what it started itself
        process.communicate()
        raise ToolError(f"{command[0]} took longer than {timeout_s:g} s and was stopped.") from None
    if process.returncode:
        said = (errors.strip() or output.strip() or "it said nothing").splitlines()[-1].strip()
        raise ToolError(f"{command[0]} failed with exit code {process.returncode}: {said}")
    return output + errors
