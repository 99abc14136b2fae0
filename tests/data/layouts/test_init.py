"""Every layout is known by its name and finds nothing where there is nothing."""
import pytest

from mstl.data.layouts import LAYOUTS, find_layout
from mstl.errors import InputError


def test_an_unknown_layout_is_an_error_that_lists_the_known():
    with pytest.raises(InputError, match=r"'open_ms' is unknown.*msseg2016.*open-ms.*glob"):
        find_layout("open_ms")


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name != "msd"])
def test_an_empty_folder_is_of_no_layout(tmp_path, name):
    findings = find_layout(name).find(tmp_path)
    assert findings.files == []
    assert findings.left_out == []
