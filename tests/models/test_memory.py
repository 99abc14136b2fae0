"""Memory: what maps of a network add up to, and the window that fits."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl._keras import keras
from mstl.models import memory as module
from mstl.models.memory import available_bytes, bytes_per_voxel, largest_window, smaller_window


@pytest.fixture(scope="module")
def model():
    image = keras.layers.Input((None, None, None, 2))
    x = keras.layers.Conv3D(4, 3, padding="same")(image)
    down = keras.layers.Conv3D(16, 3, strides=2, padding="same")(x)
    up = keras.layers.UpSampling3D(2)(down)
    return keras.Model(image, keras.layers.Conv3D(1, 1)(keras.layers.Concatenate()([up, x])))


def test_maps_count_until_their_last_reader_is_done(model):
    joined = {"x": 4, "up": 16, "joined": 20}  # floats a voxel while the concatenation runs; each is there twice
    assert bytes_per_voxel(model) == 4 * 2 * sum(joined.values())


@settings(max_examples=8, deadline=None)
@given(st.tuples(*[st.integers(40, 300)] * 3), st.sampled_from([1, 4, 8, 16]), st.floats(1e8, 1e10))
def test_a_window_fits_into_half_of_the_memory_and_divides(model, shape, multiple, memory):
    window = largest_window(model, shape, multiple=multiple, memory=memory)
    sides = window or [-(-side // multiple) * multiple for side in shape]
    assert all(side % multiple == 0 for side in sides)
    assert all(side <= -(-length // multiple) * multiple for side, length in zip(sides, shape, strict=True))
    assert 320 * np.prod(sides) <= memory / 2  # bytes a voxel, see above


def test_the_longest_side_is_cut_first(model):
    window = largest_window(model, (40, 50, 200), multiple=8, memory=2 * bytes_per_voxel(model) * 40 * 56 * 96)
    assert window == (40, 56, 96)


def test_a_window_is_not_cut_below_what_a_network_needs_to_see(model):
    assert largest_window(model, (100, 100, 20), multiple=8, memory=1) == (32, 32, 24)


def test_the_longest_side_is_halved_down_to_what_a_network_needs_to_see():
    assert smaller_window((200, 100, 60), multiple=8) == (104, 100, 60)
    assert smaller_window((20, 50, 48), multiple=16) == (20, 32, 48)
    assert smaller_window((32, 32, 20), multiple=8) is None


def test_a_model_without_a_graph_sees_the_whole_volume():
    class Subclassed(keras.Model):
        def call(self, images):
            return images

    assert largest_window(Subclassed(), (100, 100, 100), multiple=8, memory=1) is None


def test_available_memory_is_what_the_system_says():
    assert 2**20 < available_bytes() < 2**50


def write_group(folder, limit, used, cache, *, names=("memory.max", "memory.current", "inactive_file")):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon {used - cache}\n{names[2]} {cache}\n")


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Function that says in which control group this process is; returns the folder of all groups."""

    def say(line):
        (tmp_path / "own").write_text(line + "\n")
        monkeypatch.setattr(module, "OWN_GROUPS", tmp_path / "own")
        monkeypatch.setattr(module, "MOUNT", tmp_path / "mount")
        return tmp_path / "mount"

    return say


def test_the_limit_of_a_job_holds_for_its_tasks(groups):
    mount = groups("0::/slurm/job_7/task_0")
    write_group(mount / "slurm/job_7", 3000, 1000, 0)
    write_group(mount / "slurm/job_7/task_0", "max", 900, 0)
    assert available_bytes() == 2000


def test_files_that_were_read_do_not_count_as_memory_in_use(groups):
    write_group(groups("0::/box"), 3000, 2900, 2500)
    assert available_bytes() == 2600


def test_a_group_of_version_1_counts_where_it_is_mounted_as_the_root(groups):
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    write_group(groups("4:memory:/docker/ab") / "memory", 3000, 1000, 0, names=names)
    assert available_bytes() == 2000
