"""What tests of sequences share: to take all their batches, and to compare them to the bit."""
import numpy as np


def walk(sequence, epochs: int) -> list[np.ndarray]:
    """Copies of every array of every batch, epoch after epoch."""
    batches = []
    for _ in range(epochs):
        for index in range(len(sequence)):
            batches += [np.array(part) for part in sequence[index]]
        sequence.on_epoch_end()
    return batches


def equal(left, right) -> bool:
    """Whether two rows of arrays are equal to the bit."""
    return len(left) == len(right) and all(np.array_equal(*pair) for pair in zip(left, right, strict=True))
