from importlib.metadata import version

from mstl.training.environment import environment


def test_versions_seed_and_hashes_of_every_input_are_noted(prepared):
    noted = environment(prepared, seed=7)
    assert noted["seed"] == 7
    assert noted["packages"]["tensorflow"] == version("tensorflow")
    assert set(noted["inputs"]) == {case.name for case in prepared}
    assert noted["inputs"]["s0"]["flair"] == prepared[0].record["sources"]["flair"]["sha256"]


def test_the_revision_is_a_commit_or_nothing(prepared):
    revision = environment(prepared, seed=0)["git_revision"]
    assert revision is None or len(revision) == 40


def test_the_file_of_a_prior_is_noted_where_there_is_one(prepared, tmp_path):
    (tmp_path / "prior.h5").write_bytes(b"")
    noted = environment(prepared, seed=0, prior=tmp_path / "prior.h5")["prior"]
    assert (noted["file"], len(noted["sha256"])) == (str(tmp_path / "prior.h5"), 64)
    assert "prior" not in environment(prepared, seed=0)
