"""What several tests share: the folder of real scans, where there is one."""
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    if not (SHARED / "data").is_dir():
        pytest.skip("needs the folder of real scans beside the checkout")
    return SHARED
