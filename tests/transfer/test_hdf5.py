import os
import resource
import zlib

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mstl.errors import TransferError
from mstl.transfer.checkpoint import Checkpoint
from mstl.transfer.hdf5 import datasets_of
from mstl.transfer.plan import plan_transfer
from tests.twins import FILES, Net, write

KERNEL = np.arange(54, dtype=np.float32).reshape(3, 3, 2, 3)


def weights_file(path, kernel=KERNEL, *, place="conv0/conv0/kernel:0", names=("conv0",), **options):
    """A file of one layer as Keras 2 writes it; `kernel` None leaves the dataset out."""
    with h5py.File(path, "w", **options) as file:
        file.attrs["layer_names"] = [name.encode() for name in names]
        file.create_group("conv0").attrs["weight_names"] = [b"conv0/kernel:0"]
        if kernel is not None:
            file[place] = kernel
    return path


def refused(path):
    """The one line that says why `path` is not opened or read."""
    with pytest.raises(TransferError) as caught, Checkpoint.open(path) as checkpoint:
        for tensor in checkpoint.tensors.values():
            tensor.read()
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_a_small_file_is_read(tmp_path):
    with Checkpoint.open(weights_file(tmp_path / "a.h5")) as checkpoint:
        assert np.array_equal(checkpoint.tensors["conv0/kernel"].read(), KERNEL)


@pytest.mark.parametrize("options", [{"compression": "gzip"}, {"compression": "gzip", "shuffle": True,
                                     "fletcher32": True}, {"chunks": (3, 3, 1, 2)}])  # fmt: skip
def test_packed_and_chunked_data_are_read(tmp_path, options):
    path = weights_file(tmp_path / "a.h5", None)
    with h5py.File(path, "r+") as file:
        file.create_dataset("conv0/conv0/kernel:0", data=KERNEL, **options)
    with Checkpoint.open(path) as checkpoint:
        assert np.array_equal(checkpoint.tensors["conv0/kernel"].read(), KERNEL)


@pytest.mark.parametrize("kind", ["soft", "external"])
def test_links_to_elsewhere_are_refused(tmp_path, kind):
    secret = weights_file(tmp_path / "secret.h5")
    path = weights_file(tmp_path / "a.h5", None)
    link = h5py.SoftLink("/elsewhere") if kind == "soft" else h5py.ExternalLink(str(secret), "/conv0/conv0/kernel:0")
    with h5py.File(path, "r+") as file:
        file["conv0/conv0/kernel:0"] = link
    assert "link at 'conv0/conv0/kernel:0'" in refused(path)


def test_hard_links_in_a_loop_are_refused(tmp_path):
    path = weights_file(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        file["conv0/conv0/again"] = file["conv0"]
    assert "in a loop" in refused(path)


def test_an_array_that_stands_there_twice_is_refused(tmp_path):
    path = weights_file(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        file["conv0/again"] = file["conv0/conv0/kernel:0"]
    assert "has one array twice" in refused(path)


@pytest.mark.parametrize(("options", "size"), [({}, 190_000), ({"chunks": (40_000,), "compression": "gzip"}, 90_000)])
def test_arrays_that_declare_more_together_than_the_file_has_are_refused(tmp_path, options, size):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        for number in range(5):
            file.create_dataset(str(number), data=np.zeros(40_000, np.int8), **options)
    with h5py.File(path) as file:
        assert len(datasets_of(file, name="a.h5", size=200_000)) == 5
        with pytest.raises(TransferError, match="declares 200000 bytes of arrays and has"):
            datasets_of(file, name="a.h5", size=size)


def test_data_in_another_file_are_refused(tmp_path):
    (tmp_path / "secret.bin").write_bytes(KERNEL.tobytes())
    path = weights_file(tmp_path / "a.h5", None)
    with h5py.File(path, "r+") as file:
        external = [(str(tmp_path / "secret.bin"), 0, KERNEL.nbytes)]
        file.create_dataset("conv0/conv0/kernel:0", KERNEL.shape, np.float32, external=external)
    assert "in another file" in refused(path)


def test_a_virtual_dataset_is_refused(tmp_path):
    secret, path = weights_file(tmp_path / "secret.h5"), weights_file(tmp_path / "a.h5", None)
    layout = h5py.VirtualLayout(KERNEL.shape, np.float32)
    layout[...] = h5py.VirtualSource(str(secret), "conv0/conv0/kernel:0", KERNEL.shape)
    with h5py.File(path, "r+") as file:
        file.create_virtual_dataset("conv0/conv0/kernel:0", layout)
    assert "in another file" in refused(path)


@pytest.mark.parametrize("chunks", [None, (1024,)])
def test_a_size_declared_and_not_stored_is_refused(tmp_path, chunks):
    path = weights_file(tmp_path / "a.h5", None)
    with h5py.File(path, "r+") as file:
        options = {} if chunks is None else {"chunks": chunks, "compression": "gzip"}
        file.create_dataset("conv0/conv0/kernel:0", (1 << 40,), np.float32, **options)
    assert "declares 4398046511104 bytes" in refused(path)


def test_a_chunk_that_unpacks_to_more_than_a_chunk_is_refused_before_it_does(tmp_path):
    path = weights_file(tmp_path / "a.h5", None)
    with h5py.File(path, "r+") as file:
        bomb = file.create_dataset("conv0/conv0/kernel:0", (64,), np.float32, chunks=(64,), compression="gzip")
        bomb.id.write_direct_chunk((0,), zlib.compress(bytes(200_000_000), 1))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "packs more than a chunk" in refused(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


@pytest.mark.parametrize("options", [{"compression": "lzf"}, {"scaleoffset": 2}])
def test_other_filters_are_refused(tmp_path, options):
    path = weights_file(tmp_path / "a.h5", None)
    with h5py.File(path, "r+") as file:
        file.create_dataset("conv0/conv0/kernel:0", data=KERNEL, chunks=True, **options)
    assert "unknown filter" in refused(path)


def test_groups_nested_without_end_are_refused(tmp_path):
    path = weights_file(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        file.create_group("/".join("abcdefgh" * 20))
    assert "nests more than 64 groups" in refused(path)


@pytest.mark.parametrize("kernel", ["text", np.array([b"bytes"]), np.zeros(2, [("a", "f4"), ("b", "i4")]),
                                    np.zeros(2, np.complex64), h5py.Empty("f4")])  # fmt: skip
def test_what_is_no_array_of_numbers_is_refused(tmp_path, kernel):
    assert "numbers are expected" in refused(weights_file(tmp_path / "a.h5", kernel))


def test_a_name_that_cannot_be_shown_is_refused(tmp_path):
    path = weights_file(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        file.create_group("two\nlines\x1b[2J")
    assert r"two\nlines\x1b" in refused(path)


@pytest.mark.parametrize("kind", ["attribute", "variable", "group"])
def test_names_that_no_network_has_are_refused(tmp_path, kind):
    path, name = weights_file(tmp_path / "a.h5", libver="latest"), "x" * 2000
    with h5py.File(path, "r+") as file:
        if kind == "group":
            file.create_group(name)
        else:
            names = np.array([name], dtype=h5py.string_dtype() if kind == "variable" else "S")
            file.attrs["layer_names"] = names
    assert "Do not use" in refused(path)


def test_a_long_name_of_keras_3_costs_no_memory_for_each_layer_below(tmp_path):
    path = tmp_path / "a.weights.h5"
    with h5py.File(path, "w", libver="latest") as file:
        file.create_group("layers/model/vars").attrs["name"] = "x" * 1_000_000
        for number in range(100):
            file[f"layers/model/layers/conv{number}/vars/0"] = np.zeros(3, np.float32)
    assert "'name' of over 1024 bytes" in refused(path)


def test_a_layer_listed_twice_is_refused(tmp_path):
    assert "lists layer 'conv0' twice" in refused(weights_file(tmp_path / "a.h5", names=("conv0", "conv0")))


def test_an_array_listed_and_absent_is_refused(tmp_path):
    assert "does not hold it" in refused(weights_file(tmp_path / "a.h5", None))


def test_layers_listed_as_numbers_are_refused(tmp_path):
    path = weights_file(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        file.attrs["layer_names"] = np.arange(3)
    assert "text is expected" in refused(path)


def test_a_file_of_an_optimizer_alone_is_named(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["optimizer_weights/Adam/iterations:0"] = 7
    assert "holds an optimizer only" in refused(tmp_path / "a.h5")


def test_other_hdf5_is_named_by_what_it_holds(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["measurements"] = KERNEL
    with h5py.File(tmp_path / "b.h5", "w"):
        pass
    assert "it has measurements" in refused(tmp_path / "a.h5")
    assert "is HDF5 and empty" in refused(tmp_path / "b.h5")


def test_an_attribute_split_in_parts_is_put_together(tmp_path):
    path = weights_file(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        del file.attrs["layer_names"]
        file.attrs["layer_names0"], file.attrs["layer_names1"] = [b"image"], [b"conv0"]
        file.create_group("image").attrs["weight_names"] = []
    with Checkpoint.open(path) as checkpoint:
        assert list(checkpoint.tensors) == ["conv0/kernel"]


@pytest.mark.parametrize("options", [{"libver": "latest"}, {"libver": "earliest"}, {"userblock_size": 512}])
def test_text_of_variable_length_is_read_in_every_version_of_the_format(tmp_path, options):
    path = weights_file(tmp_path / "a.h5", **options)
    with h5py.File(path, "r+") as file:
        file.attrs["keras_version"] = "2.3.1 \u00fc"
        file.attrs["layer_names"] = np.array(["conv0"], dtype=h5py.string_dtype())
    if "userblock_size" in options:
        assert "not HDF5" in refused(path)
    else:
        with Checkpoint.open(path) as checkpoint:
            assert checkpoint.keras_version == "2.3.1 \u00fc"


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    folder = tmp_path_factory.mktemp("intact")
    model = Net(4, depth=1).build(names="own")
    return model, [write(model, folder, file).read_bytes() for file in FILES]


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused_in_one_line(tmp_path, intact, data):
    model, files = intact
    content = bytearray(data.draw(st.sampled_from(files)))
    kind = data.draw(st.sampled_from(["flip", "ones", "zeros", "cut"]))
    for _ in range(data.draw(st.integers(1, 4))):
        place, count = data.draw(st.integers(0, len(content) - 1)), data.draw(st.sampled_from([1, 2, 4, 8]))
        if kind == "cut":
            del content[max(1, place) :]
        elif kind == "flip":
            content[place] ^= 1 << data.draw(st.integers(0, 7))
        else:
            content[place : place + count] = bytes([255 * (kind == "ones")] * min(count, len(content) - place))
    path = tmp_path / "mutant"
    path.write_bytes(content)
    message = ""
    try:
        with Checkpoint.open(path) as checkpoint:
            plan_transfer(checkpoint, model)
            for tensor in checkpoint.tensors.values():
                tensor.read()
    except TransferError as error:
        message = str(error)
    assert len(message.splitlines()) < 2


def test_no_file_stays_open_after_a_refusal(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w"):
        pass
    before = len(os.listdir("/proc/self/fd"))
    refused(tmp_path / "a.h5")
    assert len(os.listdir("/proc/self/fd")) == before
