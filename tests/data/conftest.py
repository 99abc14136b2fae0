"""Small prepared cases, written as the contract says, for tests that read slices."""
import json
from pathlib import Path

import numpy as np
import pytest

from mstl.data.prepared import PreparedCase


@pytest.fixture(scope="session")
def write_prepared():
    """Write a prepared case: brain in all but the outer slices, lesions in the slices `lesions`."""

    def write(folder: Path, *, shape=(8, 30, 26), channels=2, lesions=(2, 3), masked=True) -> PreparedCase:
        depth, height, width = shape
        folder.mkdir(parents=True)
        image = np.zeros((*shape, channels), np.float16)
        random = np.random.default_rng(len(folder.name))
        image[1:-1, 4:-4, 4:-4] = random.random((depth - 2, height - 8, width - 8, channels))
        image[1:-1, 10, 10] = np.arange(1, depth - 1)[:, None]
        mask = np.zeros(shape, np.uint8)
        for position in lesions:
            mask[position, 8:12, 8 : 12 + position] = 1
        np.save(folder / "image.npy", image)
        if masked:
            np.save(folder / "mask.npy", mask)
        record = {
            "case": folder.name, "subject": folder.name, "session": "",
            "modalities": ["flair", "t1", "t2", "t1ce"][:channels],
            "prepared": {"shape": list(shape), "affine": np.eye(4).tolist()},
            "lesion_voxels": mask.sum((1, 2)).tolist() if masked else None,
            "brain_voxels": (image[..., 0] != 0).sum((1, 2)).tolist(),
        }
        (folder / "case.json").write_text(json.dumps(record))
        return PreparedCase(folder)

    return write


@pytest.fixture(scope="session")
def cases(write_prepared, tmp_path_factory) -> list[PreparedCase]:
    folder = tmp_path_factory.mktemp("prepared")
    return [
        write_prepared(folder / "a"),
        write_prepared(folder / "bb", lesions=(1, 4, 5)),
        write_prepared(folder / "ccc", shape=(6, 34, 22), lesions=(2,)),
    ]
