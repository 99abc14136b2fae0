"""Cases whose masks hold several labels, as those of tumours do."""
import numpy as np

from mstl.data.case import Case
from mstl.data.volume import read_volume, write_volume


def with_labels(case: Case, labels: tuple[int, ...] = (1, 2, 4)) -> Case:
    """The case with the lesions of its mask file cut along their first axis into parts of equal size, one a label."""
    mask = read_volume(case.mask, allow_constant=True)
    values = np.zeros(mask.shape, np.uint8)
    for part, label in zip(np.array_split(np.argwhere(mask.data), len(labels)), labels, strict=True):
        values[tuple(part.T)] = label
    write_volume(case.mask, values, mask.affine)
    return case
