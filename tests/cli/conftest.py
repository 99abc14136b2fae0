"""What tests of commands share: `mstl` as a person types it."""
import sys

import pytest

from mstl.cli import main


@pytest.fixture
def mstl(monkeypatch, capsys):
    """Function that runs `mstl` with arguments and returns exit code, output and error output."""

    def call(*arguments):
        monkeypatch.setenv("COLUMNS", "160")
        monkeypatch.setattr(sys, "argv", ["mstl", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code or 0, *capsys.readouterr()

    return call
