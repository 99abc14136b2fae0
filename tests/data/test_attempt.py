"""An attempt: failures have reasons, wishes to stop go through."""
import pytest

from mstl.data.attempt import attempt
from mstl.errors import InputError


def raising(error: BaseException):
    def work(_):
        raise error

    return work


def test_what_ends_well_has_no_reason():
    done = []
    assert attempt(done.append, 7) is None
    assert done == [7]


def test_wrong_input_is_its_message_in_one_line():
    assert attempt(raising(InputError("It is flat.\nExport it.")), 0) == "It is flat. Export it."


@pytest.mark.parametrize("kind", [RuntimeError, MemoryError, OSError])
def test_what_nobody_foresaw_is_named_with_type_and_place(kind):
    reason = attempt(raising(kind("a library\nfell over")), 0)
    assert reason.startswith(f"{kind.__name__}: a library fell over (test_attempt.py, line ")


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_a_wish_to_stop_is_no_failure(stop):
    with pytest.raises(stop):
        attempt(raising(stop()), 0)


def test_threads_of_itk_are_as_many_as_asked_for():
    import SimpleITK as sitk

    before, seen = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads(), []
    try:
        attempt(lambda _: seen.append(sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()), 0, threads=1)
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)
    assert seen == [1]
