"""How option texts are read, and the bars."""
import pytest

from mstl.cli.terminal import download_progress, escaped, numbers, pairs, print_profiles, progress, split
from mstl.errors import InputError


def test_lists_are_split_at_commas_without_blanks():
    assert split(" flair, t1,,") == ("flair", "t1")


def test_pairs_are_names_and_values():
    assert pairs(["flair=a=b.nii", "t1=c"]) == {"flair": "a=b.nii", "t1": "c"}


@pytest.mark.parametrize(
    ("texts", "message"), [(["flair"], "form name=value"), (["=a"], "form"), (["a=1", "a=2"], "given twice")]
)
def test_pairs_that_are_wrong_are_refused(texts, message):
    with pytest.raises(InputError, match=message):
        pairs(texts)


def test_numbers_are_read_or_the_option_is_named():
    assert numbers("1,2.5", float, "--spacing") == (1.0, 2.5)
    assert numbers("", float, "--spacing") is None
    with pytest.raises(InputError, match="--shape is '1,a'"):
        numbers("1,a", int, "--shape")


def test_brackets_of_a_text_are_not_taken_for_markup():
    assert escaped("[red]") == r"\[red]"


def test_bars_count_what_they_are_told(capsys):
    with progress("Checking", 2) as step:
        step("a")
        step("b")
    with download_progress("tiny") as step:
        step(500_000, None)
        step(1_000_000, 1_000_000)
    printed = capsys.readouterr()
    assert "100%" in printed.out
    assert "1.0/1.0 MB" in printed.err


def test_a_run_that_had_no_step_to_take_has_no_profile(tmp_path, capsys):
    print_profiles([tmp_path / "run"])
    assert "was there to be profiled" in capsys.readouterr().out
