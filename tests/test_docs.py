"""The documentation, as far as it can be checked without its tools: pages, links, commands, names."""
import dataclasses
import importlib
import re
import runpy
import shlex
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import setuptools
import typer
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import mstl
from mstl.cli import app
from mstl.config_gan import GanExperiment
from mstl.config_kernel_prior import KernelPriorExperiment

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
GENERATED = {"tutorials": ROOT / "notebooks", "reference/results": ROOT / "benchmarks" / "results"}
KINDS = {"gan": GanExperiment, "kernel-prior": KernelPriorExperiment}
HOSTS = {"keepachangelog.com", "semver.org"}  # what links may lead to outside of the project


def extension(name):
    """A module of `docs/_ext`, none of which needs Sphinx but `mstl_site`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS / "_ext"))
        return importlib.import_module(name)


inserts, sources, pages = (extension(name) for name in ("inserts", "sources", "module_pages"))


def written():
    """Pages that are written by hand, by their name in the documentation, with their insertions in place."""
    paths = [path for path in sorted(DOCS.rglob("*.md")) if not is_generated(path)]
    names = [path.relative_to(DOCS).with_suffix("").as_posix() for path in paths]
    return {name: inserts.expand(path.read_text(encoding="utf-8"), page=name)
            for name, path in zip(names, paths, strict=True)}  # fmt: skip


def is_generated(path):
    folder = path.relative_to(DOCS).parent.as_posix()
    return folder in ("reference/api", "_build") or (folder in GENERATED and path.stem != "index")


PAGES = written()


def is_there(place):
    """Whether a place below `docs/` is a file, a page that the build makes, or a module's."""
    folder, _, name = place.rpartition("/")
    if folder == "reference/api":
        return name.removesuffix(".md") in sources.modules()
    if folder in GENERATED and name != "index.md":
        return (GENERATED[folder] / name).is_file()
    return (DOCS / place).is_file()


def without_blocks(text):
    return re.sub(r"^ *```[^\n]*\n.*?^ *```$", "", text, flags=re.DOTALL | re.MULTILINE)


def links(text):
    return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", without_blocks(text)))


def anchors(text):
    """Anchors of a page's headings to the third level."""
    headings = re.findall(r"^#{1,3} (.+)$", without_blocks(text), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(text):
    """Command lines of `mstl` in a page, as words: those of blocks, and those in the text."""
    blocks = "".join(re.findall(r"^ *```bash\n(.*?)^ *```", text, flags=re.DOTALL | re.MULTILINE)).replace("\\\n", " ")
    lines = [part for line in blocks.splitlines() for part in re.split(r"&&|;| do ", line)]
    lines += re.findall(r"`(mstl [^`\n]+)`", without_blocks(text))
    calls = [shlex.split(line, comments=True) for line in lines]
    return [call for call in calls if call and Path(call[0]).name == "mstl"]


def toctrees(text):
    """Entries of a page's tables of contents."""
    found = re.findall(r"^```\{toctree\}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    return [line for block in found for line in block.splitlines() if line and not line.startswith(":")]


def test_every_page_stands_in_one_table_of_contents_and_every_entry_is_a_page():
    entries = []
    for name, text in PAGES.items():
        folder = name.rpartition("/")[0]
        for entry in toctrees(text):
            place = f"{folder}/{entry}".strip("/")
            entries += [place] if not entry.endswith("*") else []
            assert entry.endswith("*") or is_there(f"{place}.md"), f"{name} lists {entry}"
    assert sorted(entries) == sorted(set(entries))
    assert set(PAGES) - set(entries) == {"index"}


def test_the_list_of_tutorials_shows_every_notebook():
    shown = {link for link in links(PAGES["tutorials/index"]) if link.endswith(".ipynb")}
    assert shown == {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_to_pages_and_headings_that_exist(name):
    for link in links(PAGES[name]):
        if "://" in link:
            continue
        target, _, anchor = link.partition("#")
        base = DOCS if target.startswith("/") else (DOCS / name).parent
        path = (base / target.lstrip("/")).resolve() if target else (DOCS / f"{name}.md")
        if path.is_relative_to(DOCS):
            place = path.relative_to(DOCS).as_posix()
            assert is_there(place), f"{name} links to {link}"
            page = place.removesuffix(".md")
            assert not anchor or anchor in anchors(PAGES[page]), f"{name} links to {link}"
        else:
            assert path.is_file(), f"{name} links to {link}"


def test_links_to_other_hosts_are_safe_and_few():
    found = [urlsplit(link) for text in PAGES.values() for link in links(text) if "://" in link]
    assert {link.scheme for link in found} <= {"https"}
    assert {link.hostname for link in found} <= HOSTS


@pytest.mark.parametrize("name", PAGES)
def test_roles_name_what_the_reference_has(name):
    roles = re.findall(r"\{py:\w+\}`(?:[^`<]*<)?([\w.]+)>?`", PAGES[name])
    assert [place for place in roles if place not in sources.targets()] == []


def calls():
    every = ((name, call[1:]) for name, text in PAGES.items() for call in commands(text))
    return [pytest.param(words, id=f"{name}: {' '.join(words[:3])}") for name, words in every]


@pytest.mark.parametrize("words", calls())
def test_pages_call_only_what_the_command_line_has(words):
    if words[0].startswith("--") or words[0] == "COMMAND":
        return
    called, kind = typer.main.get_command(app), mstl.Experiment
    while hasattr(called, "commands") and words:
        choices = words[0].split("|")
        assert set(choices) <= set(called.commands)
        called, kind, words = called.commands[choices[0]], KINDS.get(choices[0], kind), words[1:]
    options = {name: option for option in called.params for name in option.opts} | {"--help": None}
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= set(options)
    changes = [words[place + 1].split("=")[0] for place, word in enumerate(words[:-1]) if word == "--set"]
    keys = {field.name for field in dataclasses.fields(kind)} | {"key", "strategy"}
    assert set(changes) <= keys


def test_pages_name_settings_and_files_that_exist():
    for name, text in PAGES.items():
        missing = [path for path in re.findall(r"configs/[\w-]+\.yaml", text) if not (ROOT / path).is_file()]
        assert missing == [], name


def test_the_reference_has_every_public_name():
    text = PAGES["reference/python"]
    for name in set(mstl.__all__) - {"__version__"}:
        assert f"mstl.{name}" in text
    assert set(re.findall(r"\]\(api/([\w.]+)\.md\)", text)) == set(sources.modules())
    for name in sources.SUBPACKAGES:
        assert f"### `mstl.{name}`" in text


def test_the_page_of_a_module_has_all_that_is_public_in_it():
    for name, module in sources.modules().items():
        text = pages.module_page(name)
        shown = set(re.findall(r"^:{3,4}\{py:(?:function|class|data)\} (\w+)", text, flags=re.MULTILINE))
        assert shown == set(module.public), name


def test_the_reference_of_commands_has_every_command_and_option():
    text = PAGES["reference/commands"]
    for name, command in extension("command_line").named_commands(typer.main.get_command(app)):
        section = text.partition(f"## {name}\n")[2].partition("\n## ")[0]
        assert section
        assert [option for one in command.params for option in one.opts if option.startswith("--")
                and option != "--help" and f"`{option}" not in section] == []  # fmt: skip


def test_settings_of_every_kind_stand_in_the_reference():
    text = PAGES["reference/settings"]
    for kind in (mstl.Experiment, GanExperiment, KernelPriorExperiment):
        assert [one.name for one in dataclasses.fields(kind) if f"| `{one.name}` |" not in text] == []


def test_an_insertion_that_does_not_exist_is_an_error():
    with pytest.raises(LookupError, match="asks for 'nothing'"):
        inserts.expand("<!-- insert: nothing -->")
    with pytest.raises(LookupError, match="no section 'Nothing'"):
        inserts.expand("<!-- insert: readme Nothing -->")


def test_parameters_in_a_docstring_become_a_list():
    docstring = "What.\n\none, two: both\nof them.\nRaises `InputError`."
    text = extension("docstrings").to_markdown(docstring, parameters=["one", "two"])
    assert text == "What.\n\n\n- `one`, `two`: both\n  of them.\n\nRaises `InputError`."


def test_a_docstring_keeps_its_signs_and_links_its_names():
    targets = {"fit": "mstl.training.fit.fit"}
    text = extension("docstrings").to_markdown("n * m of `<case>`, <x>: see `fit`.", targets=targets)
    assert text == r"n \* m of `<case>`, \<x>: see {py:obj}`fit <mstl.training.fit.fit>`."


def test_tools_of_the_documentation_are_pinned_within_their_range():
    given = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setuptools, "setup", given.update)
        runpy.run_path(str(ROOT / "setup.py"))
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}
    needs = map(Requirement, given["extras_require"]["docs"])
    assert [str(need) for need in needs if pins.get(canonicalize_name(need.name), "none") not in need.specifier] == []
