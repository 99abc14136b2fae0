"""Slurm's variables: nodes, tasks and ranks, without any of Slurm's programs."""
import pytest

from mstl.errors import InputError
from mstl.training.slurm import slurm_tasks

STEP = {
    "SLURM_STEP_NODELIST": "n[9-10]", "SLURM_STEP_NUM_TASKS": "2", "SLURM_STEP_TASKS_PER_NODE": "1(x2)",
    "SLURM_PROCID": "1", "SLURM_JOB_ID": "2003",
}  # fmt: skip


def hosts(**changes):
    return [address.rpartition(":")[0] for address in slurm_tasks({**STEP, **changes})[0]]


def test_each_node_has_an_address_in_the_order_of_ranks():
    assert slurm_tasks(STEP) == (["n9:12048", "n10:12048"], 1)


@pytest.mark.parametrize(
    ("nodes", "tasks", "expected"),
    [
        ("n[1-2,07],m5", "1(x4)", ["n1", "n2", "n07", "m5"]),
        ("n[08-11]", "1(x4)", ["n08", "n09", "n10", "n11"]),
        ("r[1-2]n[3-4]-ib", "1(x4)", ["r1n3-ib", "r1n4-ib", "r2n3-ib", "r2n4-ib"]),
        ("gpu1,gpu0", "3,1", ["gpu1", "gpu1", "gpu1", "gpu0"]),
    ],
)
def test_lists_of_nodes_are_expanded(nodes, tasks, expected):
    changes = {"SLURM_STEP_NODELIST": nodes, "SLURM_STEP_TASKS_PER_NODE": tasks, "SLURM_STEP_NUM_TASKS": "4"}
    assert hosts(**changes) == expected


def test_tasks_of_one_node_have_ports_of_their_own():
    changes = {"SLURM_STEP_NODELIST": "n1", "SLURM_STEP_TASKS_PER_NODE": "2"}
    assert slurm_tasks({**STEP, **changes})[0] == ["n1:12048", "n1:12049"]


def test_the_variables_of_the_job_serve_where_a_step_has_none():
    job = {"SLURM_JOB_NODELIST": "a,b", "SLURM_NTASKS": "4", "SLURM_PROCID": "3", "SLURM_JOB_ID": "1"}
    assert slurm_tasks(job) == (["a:12016", "a:12017", "b:12016", "b:12017"], 3)


@pytest.mark.parametrize("environment", [{}, {**STEP, "SLURM_STEP_NUM_TASKS": "1"}, {"SLURM_JOB_NODELIST": "a,b"}])
def test_one_task_or_none_is_no_cluster(environment):
    assert slurm_tasks(environment) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"SLURM_STEP_NODELIST": "n[1-b]"},
        {"SLURM_STEP_TASKS_PER_NODE": "2(x2)"},
        {"SLURM_STEP_TASKS_PER_NODE": "1"},
        {"SLURM_PROCID": "2"},
        {"SLURM_PROCID": "first"},
        {"SLURM_STEP_NUM_TASKS": "several"},
    ],
)
def test_what_does_not_agree_is_refused_in_one_line(changes):
    with pytest.raises(InputError, match=r"^Slurm[^\n]*srun[^\n]*$"):
        slurm_tasks({**STEP, **changes})
