"""Traces of the profiler: an operation's own time, on the processor and on a GPU, and the time without a batch."""
import pytest

from mstl._keras import xplane_pb2
from mstl.errors import InputError
from mstl.training.trace import Operation, input_wait_ms, operations, read_trace

MS = 10**9  # picoseconds


def add_line(trace, plane, line, events, *, stat=None):
    """A line of a plane with events (name, begin, end) in ms; `stat` puts the names into a stat of that name."""
    planes = [one for one in trace.planes if one.name == plane] or [trace.planes.add(name=plane)]
    line = planes[0].lines.add(name=line)
    for name, begin, end in events:
        number = len(planes[0].event_metadata) + 1
        planes[0].event_metadata[number].name = "kernel" if stat else name
        event = line.events.add(metadata_id=number, offset_ps=begin * MS, duration_ps=(end - begin) * MS)
        if stat:
            planes[0].stat_metadata[1].name = stat
            event.stats.add(metadata_id=1, str_value=name)


@pytest.fixture
def trace():
    return xplane_pb2.XSpace()


def test_own_time_is_without_what_ran_inside(trace):
    add_line(trace, "/host:CPU", "tf_Compute/1", [("loop:While", 0, 10), ("a:Conv2D", 2, 5), ("b:Conv2D", 6, 8)])
    assert operations(trace) == [
        Operation("loop", "While", 1, 5.0), Operation("a", "Conv2D", 1, 3.0), Operation("b", "Conv2D", 1, 2.0),
    ]  # fmt: skip


def test_operations_of_one_name_are_added_over_steps_and_threads(trace):
    for thread in ("1", "2"):
        add_line(trace, "/host:CPU", f"tf_Compute/{thread}", [("conv:Conv3D", 0, 1), ("conv:Conv3D", 1, 3)])
    assert operations(trace) == [Operation("conv", "Conv3D", 4, 6.0)]


def test_operations_that_overlap_without_containing_each_other_are_not_counted_twice(trace):
    add_line(trace, "/host:CPU", "tf_Compute/1", [("a:A", 0, 4), ("b:B", 3, 6)])
    assert operations(trace) == [Operation("a", "A", 1, 3.0), Operation("b", "B", 1, 3.0)]


def test_what_brings_the_batch_and_what_is_no_operation_are_left_out(trace):
    add_line(trace, "/host:CPU", "tf_data_private_threadpool/1", [("PyFunc:PyFunc", 0, 5)])
    events = [("ExecutorState::Process", 0, 9), ("IteratorGetNextSync:IteratorGetNextSync", 0, 1)]
    add_line(trace, "/host:CPU", "tf_Compute/1", [*events, ("x/relu:Relu", 3, 4)])
    assert [one.kind for one in operations(trace)] == ["Relu"]


def test_a_gpu_tells_whose_work_its_kernels_do(trace):
    add_line(trace, "/host:CPU", "tf_Compute/1", [("conv:Conv3D", 0, 9)])
    add_line(trace, "/device:GPU:0", "Stream #7", [("conv:Conv3D#id=3#", 0, 2), ("conv:Conv3D", 4, 5)], stat="tf_op")
    assert operations(trace) == [Operation("conv", "Conv3D", 2, 3.0)]


def test_waiting_is_counted_once_where_several_wait_together(trace):
    add_line(trace, "/host:CPU", "a", [("IteratorGetNextOp::DoCompute", 0, 4), ("other", 0, 9)])
    add_line(trace, "/host:CPU", "b", [("MultiDeviceIteratorGetNextFromShardOp::DoCompute", 3, 6)])
    assert input_wait_ms(trace) == pytest.approx(6)


def test_without_events_there_is_nothing_to_tell(trace):
    assert operations(trace) == []
    assert input_wait_ms(trace) == 0


def test_a_folder_without_a_trace_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"holds no trace .* --profile STEPS"):
        read_trace(tmp_path)
