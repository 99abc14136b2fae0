"""The regions of a report."""
import pandas as pd
import pytest

from mstl.errors import InputError
from mstl.evaluation.regions import REGION_COLUMNS, regions_path
from mstl.files import write_text
from mstl.reporting.regions import regions_section


@pytest.fixture
def scores(tmp_path):
    """A scores.csv with a table of regions beside it: enhancing tumour in one of two cases."""
    rows = [("a", "whole", 0.9, 0), ("a", "enhancing", 0.5, 0), ("b", "whole", 0.7, 0), ("b", "enhancing", 1.0, 1)]
    table = pd.DataFrame(rows, columns=["case", "region", "dice", "empty_reference"]).assign(subject="s", session="")
    table = table.reindex(columns=list(REGION_COLUMNS))
    write_text(tmp_path / "scores_regions.csv", "# Regions: whole = 1 + 2. More.\n" + table.to_csv(index=False))
    return tmp_path / "scores.csv"


def test_cases_without_a_region_are_not_in_its_mean(scores):
    section = regions_section(scores)
    rows = {row["region"]: row for row in section["regions"]}
    assert (rows["whole"]["cases"], rows["whole"]["mean"], rows["whole"]["dice"]) == (2, pytest.approx(0.8), 0.8)
    assert (rows["enhancing"]["cases"], rows["enhancing"]["mean"]) == (1, 0.5)
    assert rows["whole"]["hausdorff95_mm"] is None
    assert section["rule"] == "Regions: whole = 1 + 2"


def test_every_case_has_its_dice_by_region(scores):
    section = regions_section(str(scores))
    assert section["names"] == ["whole", "enhancing"]
    assert section["cases"] == [{"case": "a", "dice": [0.9, 0.5]}, {"case": "b", "dice": [0.7, None]}]


def test_scores_without_regions_have_no_section(tmp_path):
    assert regions_section(tmp_path / "scores.csv") is None
    assert regions_section(pd.DataFrame()) is None
    assert regions_section(None) is None


def test_a_damaged_table_is_refused(scores):
    regions_path(scores).write_text("case,dice\n")
    with pytest.raises(InputError, match="lacks the columns"):
        regions_section(scores)
