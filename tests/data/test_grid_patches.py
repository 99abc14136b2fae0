import numpy as np

from mstl.data.grid_patches import GridSampler


def test_every_voxel_of_the_brain_is_in_one_window(cases):
    for patch in (8, (8, 16, 24), None):
        sampler = GridSampler(cases, patch=patch, batch_size=3)
        batches = [sampler.batch(0, index) for index in range(sampler.steps)]
        for part, name in enumerate(("image", "mask")):
            shown = np.sort(np.concatenate([batch[part][batch[part] != 0] for batch in batches]))
            there = np.concatenate([np.asarray(getattr(case, name)).ravel() for case in cases]).astype(np.float32)
            assert np.array_equal(shown, np.sort(there[there != 0]))
