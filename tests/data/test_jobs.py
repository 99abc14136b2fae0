import pytest

from mstl.data.jobs import check_jobs
from mstl.errors import InputError


def test_no_jobs_are_refused():
    with pytest.raises(InputError, match="jobs is 0"):
        check_jobs(0)


@pytest.mark.parametrize("jobs", [1, 2, -1])
def test_numbers_that_joblib_takes_pass(jobs):
    assert check_jobs(jobs) is None
