"""How Sphinx takes in what lies outside of `docs/`: notebooks, results, a page for each module; and a check."""
from __future__ import annotations

import re
import shutil
from pathlib import Path

import inserts
from module_pages import module_page
from sources import ROOT, modules
from sphinx.application import Sphinx
from sphinx.util import logging

TAKEN_IN = {"tutorials": ("notebooks", "*.ipynb"), "reference/results": ("benchmarks/results", "*.md")}
PAGES = "reference/api"
ELSEWHERE = r"""((?:https?:)?//[^"')\s]+)"""
LOADED = (
    re.compile(r"""<(?:script|img|iframe|source|video|audio|embed|object)\b[^>]*?\b(?:src|data)=["']""" + ELSEWHERE),
    re.compile(r"""<link\b(?![^>]*\brel=["'](?:canonical|next|prev|author)\b)[^>]*?\bhref=["']""" + ELSEWHERE),
    re.compile(r"""(?:@import\s+|url\()\s*["']?""" + ELSEWHERE),
)

logger = logging.getLogger(__name__)


def take_in(app: Sphinx) -> None:
    """Copy notebooks and results into the source folder and write the modules' pages there; git ignores them."""
    source = Path(app.srcdir)
    for target, (folder, pattern) in TAKEN_IN.items():
        wanted = {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / folder).glob(pattern))}
        _fill(source / target, wanted, suffix=pattern.removeprefix("*"), kept=("index.md",))
    _fill(source / PAGES, {f"{name}.md": module_page(name) for name in modules()}, suffix=".md")


def expand(app: Sphinx, page: str, text: list[str]) -> None:
    """Put insertions in place."""
    text[0] = inserts.expand(text[0], page=page)


def check_hosts(app: Sphinx, error: Exception | None) -> None:
    """Warn of whatever a page would load from another host."""
    if error is not None or app.builder.format != "html":
        return
    for path in sorted(Path(app.outdir).rglob("*")):
        if path.suffix not in (".html", ".css"):
            continue
        text = path.read_text(encoding="utf-8")
        for address in sorted({address for pattern in LOADED for address in pattern.findall(text)}):
            logger.warning("%s loads %s from another host", path.relative_to(app.outdir), address)


def setup(app: Sphinx) -> dict:
    """What Sphinx calls."""
    app.connect("builder-inited", take_in)
    app.connect("source-read", expand)
    app.connect("build-finished", check_hosts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _fill(folder: Path, wanted: dict[str, str], *, suffix: str, kept: tuple[str, ...] = ()) -> None:
    """Write files that changed, drop those that are no longer wanted: an unchanged page is not built again."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name.endswith(suffix) and path.name not in (*wanted, *kept):
            path.unlink()
    for name, text in wanted.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
