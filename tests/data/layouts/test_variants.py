"""Of a set that comes in several trees, the files of one are taken."""
from pathlib import Path

import pytest

from mstl.data.layouts.found import Findings, Found
from mstl.data.layouts.variants import of_one_variant
from mstl.errors import InputError

FILES = [
    Found(Path("raw/t1"), "t1", "p", variants=("raw",)),
    Found(Path("pre/t1"), "t1", "p", variants=("pre",)),
    Found(Path("mask"), "mask", "p"),
    Found(Path("pre/brain"), "brain_mask", "p", variants=("pre", "raw")),
]


def taken(files: list[Found], wanted: str = "") -> set[str]:
    return {str(file.path) for file in of_one_variant(Findings(files), ("pre", "raw"), wanted)[0]}


def test_the_usual_variant_is_taken_with_what_belongs_to_all_and_a_note():
    assert taken(FILES) == {"pre/t1", "mask", "pre/brain"}
    _, left_out, notes = of_one_variant(Findings(FILES), ("pre", "raw"), "")
    assert [(str(item.path), item.reason) for item in left_out] == [("raw/t1", "belongs to variant raw")]
    assert notes == ["The images of variant pre are taken; there are also raw (choose with --variant)."]


def test_a_file_of_another_variant_that_fits_gives_way_to_the_variants_own():
    assert taken(FILES, "raw") == {"raw/t1", "mask", "pre/brain"}
    own = Found(Path("raw/brain"), "brain_mask", "p", variants=("raw",))
    assert taken([*FILES, own], "raw") == {"raw/t1", "mask", "raw/brain"}


def test_a_variant_of_masks_alone_is_none():
    assert taken([FILES[0], FILES[3]]) == {"raw/t1", "pre/brain"}
    with pytest.raises(InputError, match=r"'pre' is here.*There are raw"):
        taken([FILES[0], FILES[3]], "pre")


def test_a_tree_without_variants_is_taken_whole_unless_one_is_asked_for():
    assert taken([FILES[2]]) == {"mask"}
    with pytest.raises(InputError, match="This tree has no variants"):
        taken([FILES[2]], "raw")
