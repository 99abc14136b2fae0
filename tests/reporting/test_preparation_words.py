"""Preparation in words: every step and normalisation is told, and what a new case needs."""
import pytest

from mstl.data.case import MODALITIES as KNOWN
from mstl.data.normalise import NORMALISATIONS
from mstl.data.preparation import NYUL, STEPS, Preparation
from mstl.reporting.preparation_words import MODALITIES, NORMALISED, modality_words, what_is_done, what_is_needed


def test_every_modality_and_normalisation_has_words():
    assert set(MODALITIES) == set(KNOWN)
    assert set(NORMALISED) == {*NORMALISATIONS, NYUL}


@pytest.mark.parametrize(("names", "words"), [
    (["t1"], "T1"), (["flair", "t1"], "FLAIR and T1"), (["flair", "t1", "t2"], "FLAIR, T1 and T2"),
])  # fmt: skip
def test_modalities_are_written_as_people_do(names, words):
    assert modality_words(names) == words


def test_all_steps_are_told_in_their_order():
    preparation = Preparation(("flair", "t1"), steps=tuple(STEPS), spacing=1, shape=(8, 16, 32), normalise="percentile")
    done = what_is_done(preparation, pictures=False)
    words = ["grids", "rigid", "N4", "MNI152", "best tool", "1 x 1 x 1 mm", "99.5"]
    assert [word for sentence, word in zip(done, words, strict=True) if word in sentence] == words
    assert "a box of 8 x 16 x 32 voxels" in done[-2]
    assert what_is_needed(preparation, pictures=False) == ["All of FLAIR and T1 of a patient: none may be missing."]


def test_without_steps_the_scans_must_be_ready():
    needs = " ".join(what_is_needed(Preparation(("flair", "t1")), pictures=False))
    assert all(word in needs for word in ("on one grid", "without skull", "nothing is resampled"))
    assert "on one grid" not in " ".join(what_is_needed(Preparation(("t1",)), pictures=False))


def test_a_brain_mask_is_asked_for_where_the_training_had_one():
    told = what_is_needed(Preparation(("t1",), steps=("brain",)), pictures=False, brains=["given mask"])
    assert told[1].startswith("Best a brain mask for each")


def test_pictures_need_no_brain():
    said = " ".join(what_is_done(Preparation(("oct",), shape=(256, 256)), pictures=True))
    assert "stretched to 256 x 256 pixels" in said
    assert "brain" not in said
    assert len(what_is_needed(Preparation(("oct",), shape=(256, 256)), pictures=True)) == 1
    assert "micrometres" in what_is_needed(Preparation(("oct",)), pictures=True)[-1]
