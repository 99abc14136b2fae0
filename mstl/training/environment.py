"""What a training ran on: versions, machine, revision, hashes of its inputs."""
from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from mstl.data.prepared import PreparedCase
from mstl.files import sha256

PACKAGES = ("mstl", "tensorflow", "tf-keras", "segmentation-models", "albumentations", "numpy", "SimpleITK", "nibabel")


def environment(cases: Iterable[PreparedCase], *, seed: int, prior: Path | None = None) -> dict:
    """Versions, platform, seed, git revision (None outside a checkout) and the SHA-256 of each case's inputs.

    Where weights have a `prior` of a file, its SHA-256 too.
    """
    known = {} if prior is None else {"prior": {"file": str(prior.resolve()), "sha256": sha256(prior)}}
    return known | {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "packages": {name: version(name) for name in PACKAGES},
        "git_revision": _git_revision(),
        "seed": seed,
        "inputs": {
            case.name: {role: source["sha256"] for role, source in case.record["sources"].items()} for case in cases
        },
    }


def _git_revision() -> str | None:
    """Revision of the checkout that this file is tracked in; None where mstl was installed from a package."""
    git = ["git", "-C", str(Path(__file__).parent)]
    commands = ([*git, "ls-files", "--error-unmatch", Path(__file__).name], [*git, "rev-parse", "HEAD"])
    try:
        answers = [subprocess.run(command, capture_output=True, text=True, check=True) for command in commands]
    except (OSError, subprocess.CalledProcessError):
        return None
    return answers[-1].stdout.strip()
