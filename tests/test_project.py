"""The files around the package: README, pins, environment, changelog say what is so."""
import dataclasses
import re
import runpy
import shlex
import subprocess
from pathlib import Path

import pytest
import setuptools
import typer
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import mstl
from mstl.cli import app
from mstl.config_gan import GanExperiment

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MACHINE_PATH = re.compile(r"""(?<![\w.:/~*{}-])/(?:work|root|home|Users|opt|tmp|mnt|data)/\w""")
TEXT = {"", ".cfg", ".csv", ".html", ".ipynb", ".j2", ".json", ".md", ".py", ".toml", ".txt", ".yaml", ".yml"}


@pytest.fixture(scope="module")
def setup_arguments():
    """What `setup.py` hands to setuptools."""
    given = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setuptools, "setup", given.update)
        runpy.run_path(str(ROOT / "setup.py"))
    return given


@pytest.fixture(scope="module")
def pins():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    names_and_versions = (line.split("==") for line in lines if not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in names_and_versions}


def readme_commands():
    """Every line of the README's bash blocks, as words; backslashes at the end of a line join it to the next."""
    blocks = re.findall(r"^```bash\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(part) for line in lines for part in line.split("&&")]


def mstl_calls():
    words = [command for command in readme_commands() if Path(command[0]).name == "mstl"]
    return [pytest.param(call[1], call[2:], id=" ".join(call[1:4])) for call in words]


def test_readme_test_command_follows_its_marker_and_uses_the_pins():
    command = re.search(r"^<!-- ci: test -->\n```bash\n(.+)\n```$", README, flags=re.MULTILINE)[1]
    assert "-c constraints.txt" in command
    assert command.endswith("pytest -n 2")


@pytest.mark.parametrize(("command", "arguments"), mstl_calls())
def test_readme_calls_only_what_the_command_line_has(command, arguments):
    known = typer.main.get_command(app).commands
    assert command in known
    called, kind = known[command], mstl.Experiment
    if hasattr(called, "commands"):
        called, kind = called.commands[arguments[0]], GanExperiment
    options = {name for parameter in called.params for name in parameter.opts}
    assert {word for word in arguments if word.startswith("--")} <= options
    keys = {field.name for field in dataclasses.fields(kind)}
    changes = {arguments[place + 1] for place, word in enumerate(arguments) if word == "--set"}
    assert {change.split("=")[0] for change in changes} <= keys


def test_readme_shows_every_command():
    named = set(re.findall(r"mstl ([a-z-]+)", README))
    assert named >= set(typer.main.get_command(app).commands)


def test_files_that_the_readme_points_to_exist():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
    named = re.findall(r"configs/[\w-]+\.yaml", README)
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_requirement_of_the_tests_is_pinned_within_its_range(setup_arguments, pins):
    requirements = map(Requirement, setup_arguments["install_requires"] + setup_arguments["extras_require"]["test"])
    wrong = [str(need) for need in requirements if pins.get(canonicalize_name(need.name), "none") not in need.specifier]
    assert wrong == []


def test_version_is_the_same_everywhere(setup_arguments):
    assert setup_arguments["version"] == mstl.__version__
    assert f"\n## [{mstl.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_conda_environment_is_python_311_with_the_same_pins():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert environment["name"] == "mstl"
    assert "python=3.11" in environment["dependencies"]
    pip = next(item["pip"] for item in environment["dependencies"] if isinstance(item, dict))
    assert pip == ["-c constraints.txt", "-e .[notebooks,dask]"]


def test_no_tracked_file_names_a_place_on_one_machine():
    listed = subprocess.run(["git", "-C", ROOT, "ls-files"], capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    names = [name for name in listed.stdout.splitlines() if Path(name).suffix in TEXT and (ROOT / name).is_file()]
    texts = {name: (ROOT / name).read_text(encoding="utf-8") for name in names}
    assert [name for name, text in texts.items() if MACHINE_PATH.search(text)] == []
