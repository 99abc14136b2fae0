"""How public sets and conventions lay their files on disk, by name.

A new public set is one entry of `LAYOUTS`: rules in the file of its family.
"""
from __future__ import annotations

from mstl.data.layouts.bids import BIDS
from mstl.data.layouts.found import Layout
from mstl.data.layouts.ms import ISBI2015, MICCAI2008, MSSEG2016, OPEN_MS
from mstl.data.layouts.msd import MSD
from mstl.data.layouts.oct import OCT_DME
from mstl.data.layouts.tumour import BRATS2020, BRATS2021, BRATS2023
from mstl.errors import InputError

__all__ = ["GLOB", "LAYOUTS", "find_layout"]

GLOB = "glob"  # by the user's own patterns, see `mstl.data.layouts.patterns`
LAYOUTS: dict[str, Layout] = {
    "msseg2016": MSSEG2016,
    "isbi2015": ISBI2015,
    "miccai2008": MICCAI2008,
    "open-ms": OPEN_MS,
    "brats2020": BRATS2020,
    "brats2021": BRATS2021,
    "brats2023": BRATS2023,
    "msd": MSD,
    "bids": BIDS,
    "oct-dme": OCT_DME,
}


def find_layout(name: str) -> Layout:
    """Layout of that name; raises `InputError` that lists the known names."""
    if name not in LAYOUTS:
        raise InputError(
            f"Layout {name!r} is unknown. Choose one of {', '.join((*LAYOUTS, GLOB))}, or give your own file patterns."
        )
    return LAYOUTS[name]
