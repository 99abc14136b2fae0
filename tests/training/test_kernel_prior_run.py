"""The folder of a learned prior, read again."""
import pytest

from mstl.errors import InputError
from mstl.training.kernel_prior_run import KernelPriorRun
from tests.reporting.kernel_runs import NAMES, write_kernel_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return KernelPriorRun(write_kernel_run(tmp_path_factory.mktemp("kernels") / "run"))


def test_it_gives_the_prior_its_settings_and_its_tables(run):
    assert tuple(run.prior.groups) == NAMES
    assert run.experiment.model_options == {"filters": [4, 8]}
    assert run.groups["group"].tolist() == list(NAMES)
    assert run.kernels["network"].nunique() == 2
    assert run.history["epoch"].max() == 20


def test_another_folder_is_an_error_in_a_line(run, tmp_path):
    with pytest.raises(InputError, match=r"is not a run .* Make one with 'mstl pretrain kernel-prior'"):
        KernelPriorRun(tmp_path)
    (tmp_path / "experiment.yaml").write_text("pretraining: gan\n")
    with pytest.raises(InputError, match="is a run of 'mstl pretrain gan'; one of 'mstl pretrain kernel-prior' is"):
        KernelPriorRun(tmp_path)
