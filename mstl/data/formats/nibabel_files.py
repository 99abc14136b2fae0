"""Files that nibabel knows: NIfTI-1 and -2, alone or in pairs, Analyze pairs and MGH; opened within bounds, written."""
from __future__ import annotations

import gzip
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nibabel as nib
import numpy as np

from mstl.data.formats.scan import Scan, check_size, damaged, no_real_numbers, trimmed, unreadable
from mstl.data.grid import TOLERANCE_MM
from mstl.errors import InputError

_QUATERNION_ERROR = 2e-3  # of the spacing: what a qform, three float32 numbers, can be off near half turns
_HEADER_BYTES = 540  # of NIfTI-2, the longest
_MAT_BYTES = 1 << 16  # SPM's affine beside an Analyze pair takes some hundred
_PIECE = 1 << 20  # bytes unpacked at a time
_PACKED = (".gz", ".mgz")


def open_nibabel(path: Path) -> Scan:
    """Open `.nii`, `.hdr`/`.img`, `.mgh` and their gzipped forms; reads the header only.

    An Analyze pair states no orientation that can be trusted. As nibabel does, its first axis is taken to run to
    the left, the second to the front, the third up, about SPM's origin or else the middle, and a warning says so; a
    `.mat` that SPM wrote beside it overrules that. Raises `InputError` where the file is no such file, declares more
    than it can hold, or has sform and qform that disagree by more than 1e-3 mm (and 0.002 of the spacing: the
    precision of a qform).
    """
    kind = "MGH" if path.suffix.lower() in (".mgh", ".mgz") else "NIfTI"
    try:
        with _quietly():
            files = pair_of(path)
            image_class, header = _header(files["header"], kind)
            _check_header(path, header, files)
            image = image_class.from_file_map(_file_map(image_class, files))
            disagreement = _disagreement(image)
            stored = image.get_data_dtype()
    except InputError:
        raise
    except Exception as error:  # whatever nibabel's arithmetic meets in a damaged header
        raise unreadable(path, kind, error) from error
    if disagreement:
        raise InputError(
            f"{path} states two positions: sform and qform differ by {disagreement:.3g} mm. "
            "Find out which one is right, and copy it over the other."
        )
    if stored.kind not in "iuf":
        raise no_real_numbers(path, str(stored))
    file = files["image"]
    if type(image) is nib.Spm2AnalyzeImage and not files["mat"].is_file():
        warnings.warn(
            f"{path} is an Analyze pair, which states no orientation: its first axis is taken to run to the left.",
            stacklevel=2,
        )
    return Scan(path, trimmed(image.shape), image.affine, stored, lambda volume: _values(image, file, path, volume))


def write_nibabel(path: Path, data: np.ndarray, affine: np.ndarray) -> None:
    """Write a 3D array as `.nii`, `.nii.gz`, `.mgh` or `.mgz`, whatever the name's suffix says.

    A sheared affine fits no qform, which NIfTI files go without then.
    """
    if path.suffix.lower() in (".mgh", ".mgz"):
        nib.save(nib.MGHImage(data, affine), path)
        return
    image = nib.Nifti1Image(data, affine, dtype=data.dtype)
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    if _disagreement(image):
        image.set_qform(None, code=0)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the remarks on damaged headers that nibabel logs and numpy warns of: what matters is raised."""
    logger = nib.imageglobals.logger
    before, logger.disabled = logger.disabled, True
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = before


def pair_of(path: Path) -> dict[str, Path]:
    """Header and image of a file or pair; either half of a pair may be gzipped, either may be named."""
    name = path.name[:-3] if path.name.lower().endswith(".gz") else path.name
    if name[-4:].lower() not in (".hdr", ".img"):
        return {"header": path, "image": path}
    stem = name[:-4]
    files = {"mat": path.with_name(f"{stem}.mat")}
    for role, suffix in (("header", ".hdr"), ("image", ".img")):
        names = [f"{stem}{written}{packed}" for written in (suffix, suffix.upper()) for packed in ("", ".gz")]
        found = next((path.with_name(name) for name in names if path.with_name(name).is_file()), None)
        if found is None:
            raise InputError(f"{path} is one half of a pair; {stem}{suffix} is missing. Put it beside the other.")
        files[role] = found
    return files


def _header(path: Path, kind: str) -> tuple[type, nib.spatialimages.SpatialHeader]:
    """The class of the image and its header as it stands, before anything is believed."""
    opened = gzip.open if _packed(path) else open
    with opened(path, "rb") as stream:
        start = stream.read(_HEADER_BYTES)
    if kind == "MGH":
        image_class = nib.MGHImage
    elif path.name.lower().endswith((".nii", ".nii.gz")):
        second = start[:4] in (b"\x1c\x02\0\0", b"\0\0\x02\x1c")  # 540, the length that NIfTI-2 begins with
        image_class = nib.Nifti2Image if second else nib.Nifti1Image
    elif start[344:347] == b"ni1":
        image_class = nib.Nifti1Pair
    else:
        image_class = nib.Nifti2Pair if start[4:7] == b"ni2" else nib.Spm2AnalyzeImage
    block = start if kind == "MGH" else start[: image_class.header_class.template_dtype.itemsize]
    return image_class, image_class.header_class(block, check=False)


def _check_header(path: Path, header: nib.spatialimages.SpatialHeader, files: dict[str, Path]) -> None:
    image = files["image"]
    needed = check_size(
        path,
        tuple(int(side) for side in header.get_data_shape()),
        itemsize=header.get_data_dtype().itemsize,
        skipped=int(header.get_data_offset()),
        stored=image.stat().st_size,
        packed=_packed(image),
    )
    if _packed(image) and not _unpacks_to(image, needed):
        raise InputError(
            f"{path} declares {' x '.join(map(str, header.get_data_shape()))} voxels, but unpacks to less. "
            "It is truncated or damaged. Copy or export it again."
        )
    if "mat" in files and files["mat"].is_file() and files["mat"].stat().st_size > _MAT_BYTES:
        raise InputError(f"{files['mat']} is too large for the affine of {path}. Rename it if it is something else.")


def _unpacks_to(path: Path, needed: int) -> bool:
    """Whether a gzip file unpacks to `needed` bytes or more, by the length at its end, or by unpacking it bit by bit.

    The length may be short of the truth where the file is larger than 4 GB or was packed in parts.
    """
    with path.open("rb") as stream:
        stream.seek(-4, os.SEEK_END)
        if int.from_bytes(stream.read(4), "little") >= needed:
            return True
    with gzip.open(path) as stream:
        while needed > 0 and (piece := stream.read(_PIECE)):
            needed -= len(piece)
    return needed <= 0


def _file_map(image_class: type, files: dict[str, Path]) -> dict[str, nib.fileholders.FileHolder]:
    roles = [role for role, _ in image_class.files_types]
    return {role: nib.fileholders.FileHolder(filename=str(files[role])) for role in roles}


def _packed(path: Path) -> bool:
    return path.suffix.lower() in _PACKED


def _disagreement(image: nib.spatialimages.SpatialImage) -> float:
    """Largest difference of sform and qform in mm; 0 where they agree or only one is set."""
    if not isinstance(image, nib.Nifti1Pair):
        return 0.0
    (sform, sform_code), (qform, qform_code) = image.get_sform(coded=True), image.get_qform(coded=True)
    if not (sform_code > 0 and qform_code > 0):
        return 0.0
    tolerance = TOLERANCE_MM + _QUATERNION_ERROR * np.array([*np.linalg.norm(sform[:3, :3], axis=0), 0])
    difference = np.abs(sform - qform)
    return float(difference.max()) if np.any(difference > tolerance) else 0.0


def _values(image: nib.spatialimages.SpatialImage, file: Path, path: Path, volume: int | None) -> np.ndarray:
    """All voxels, memory mapped where they can be, or those of one volume.

    A packed file that is read as a whole is read on to its checksum, unless much else follows its voxels.
    """
    proxy = image.dataobj
    try:
        with _quietly():
            if not _packed(file):
                data = _taken(proxy, volume)
            else:
                with gzip.open(file) as stream:
                    fields = (proxy.shape, proxy.dtype, proxy.offset, proxy.slope, proxy.inter)
                    data = _taken(nib.arrayproxy.ArrayProxy(stream, fields, mmap=False), volume)
                    if volume is None:
                        stream.read(_PIECE)
    except Exception as error:  # as above: nibabel, zlib and numpy on damaged bytes
        raise damaged(path, error) from error
    return data if data.dtype.isnative else data.astype(data.dtype.newbyteorder("="))


def _taken(proxy: nib.arrayproxy.ArrayProxy, volume: int | None) -> np.ndarray:
    """Voxels in the dtype as stored, in float32 where they are scaled."""
    kind = {"dtype": np.float32} if (proxy.slope, proxy.inter) != (1, 0) else {}
    if volume is None:
        return np.asanyarray(proxy, **kind).reshape(trimmed(proxy.shape), order="F")
    later = tuple(map(int, np.unravel_index(volume, proxy.shape[3:], order="F")))
    return np.asarray(proxy[(slice(None),) * 3 + later], **kind)
