"""What a study may be, and what is said of one that cannot be."""
from pathlib import Path

import pytest

from mstl.compare.study import ALL, Study
from mstl.errors import InputError

CONFIGS = Path(__file__).parents[2] / "configs"
SHALLOW = {"model": "unet-small", "model_options": {"width": 4}}


def test_a_study_survives_yaml(study_of, tmp_path):
    study = study_of(seeds=[0, 1], twins={"locked": "scratch"})
    study.save(tmp_path / "study.yaml")
    assert Study.load(tmp_path / "study.yaml") == study


def test_changes_of_the_command_line_come_last(study_of, tmp_path):
    study_of().save(tmp_path / "study.yaml")
    assert Study.load(tmp_path / "study.yaml", changes=["seeds=[3, 4]"]).seeds == (3, 4)


def test_the_study_that_is_shipped_has_a_fair_budget_and_a_twin_for_everybody():
    study = Study.load(CONFIGS / "study.yaml")
    assert len(study.strategies) >= 6
    assert len(set(study.budgets().values())) == 1
    assert {name: study.twin_of(name) for name in study.strategies} == {
        "scratch": None, "imagenet": "scratch", "other-disease": "scratch", "other-disease-locked": "scratch",
        "segmenter": None, "self-supervised": "segmenter",
    }  # fmt: skip


def test_sizes_are_numbers_or_all(study_of):
    assert study_of(sizes=[5, "all"]).sizes == (5, ALL)
    assert study_of(sizes="all").sizes == (ALL,)


def test_the_first_strategy_from_scratch_is_the_baseline(study_of):
    assert study_of().baseline == "scratch"
    assert study_of(strategies={"locked": {"init": "others"}, "begin": {"freeze": "none"}}).baseline == "begin"


def test_the_twin_of_a_strategy_is_the_same_from_scratch(study_of):
    wide = {"init": "others", "model_options": {"width": 4}}
    study = study_of(strategies={"scratch": {}, "locked": {"init": "others"}, "wide": wide, "bare": SHALLOW})
    assert study.twin_of("wide") == "bare"
    assert study.twin_of("locked") == "scratch"
    assert study.twin_of("scratch") is None
    assert study.twin_of("bare") is None


def test_twins_may_be_named(study_of):
    study = study_of(
        strategies={"scratch": {}, "locked": {"init": "others"}, "fine": {"init": "others"}}, twins={"locked": "fine"}
    )
    assert study.twin_of("locked") == "fine"


def test_the_source_of_a_strategy_is_what_it_begins_with(study_of):
    study = study_of()
    assert study.source_of("locked") == "others"
    assert study.source_of("scratch") is None


def test_a_name_that_stands_twice_is_an_error(study_of, tmp_path):
    path = tmp_path / "study.yaml"
    study_of().save(path)
    path.write_text(path.read_text().replace("  scratch: {}", "  scratch: {}\n  scratch: {epochs: 3}"))
    with pytest.raises(InputError, match="'scratch' stands twice"):
        Study.load(path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"strategy": {}}, r"'strategy' in .* unknown to 'mstl compare'. Did you mean 'strategies'"),
        ({"strategies": {"a": {}}}, "has 1 strategies; at least 2"),
        ({"strategies": {"a": {}, "b": {"freze": "encoder"}}}, r"'freze' in strategy 'b' .* mean 'freeze'"),
        ({"strategies": {"a": {}, "b": {"seed": 3}}}, "seed stands in strategy 'b' of the study, but the study sets"),
        ({"strategies": {"a": {}, "b/c": {}}}, "'b/c' has a name with more than letters"),
        ({"strategies": {"a": {"init": "x.h5"}, "b": {"init": "y.h5"}}}, "No strategy begins at random"),
        ({"strategies": {"a": {}, "b": 3}}, "Strategy 'b' in the study is 3"),
        ({"folds": None}, "either 'folds: 5', or"),
        ({"repeats": 2, "test": 3}, "either 'folds: 5', or"),
        ({"folds": 1}, "folds is 1"),
        ({"folds": None, "repeats": 0, "test": 3}, "repeats is 0"),
        ({"sizes": []}, "sizes is"),
        ({"sizes": [5, 5]}, "sizes is"),
        ({"sizes": ["most"]}, "sizes has 'most'"),
        ({"sizes": [0]}, "sizes has 0"),
        ({"seeds": [1, 1]}, "seeds is"),
        ({"baseline": "scrach"}, "'scrach' of baseline or twins is unknown; did you mean 'scratch'"),
        ({"twins": {"locked": "nobody"}}, "'nobody' of baseline or twins"),
        ({"sources": {"others": {"command": "pretrain gann"}}}, "command 'pretrain gann'; did you mean 'pretrain gan'"),
        ({"sources": {"others": {"epoch": 3}}}, "'epoch' in source 'others' .* mean 'epochs'"),
        ({"sources": {"random": {}}}, "A source is called 'random'"),
    ],
)
def test_what_cannot_be_a_study_is_said_in_a_line(study_of, changes, said):
    with pytest.raises(InputError, match=said):
        study_of(**changes)
