"""The page of a domain shift, its figures and its record: what `mstl domain-shift` leaves behind."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from markupsafe import Markup

from mstl.evaluation.domain_shift import DomainShift
from mstl.files import whole_file, write_json, write_text
from mstl.reporting.domain_figures import pca_figure, tsne_figure
from mstl.reporting.domain_words import RECORD, in_words, number
from mstl.reporting.figures import to_svg
from mstl.reporting.folder import flatten
from mstl.reporting.template import render

PAGE = "domain_shift.html"
PICTURES = {"pca": pca_figure, "tsne": tsne_figure}
PIXELS_PER_INCH = 130


def write_domain_shift(
    shift: DomainShift, out: str | Path, *, progress: Callable[[str], None] | None = None
) -> Path:
    """Write `domain_shift.json`, `.html`, `_pca.png` and `_tsne.png` into the folder `out`; returns the page's path.

    What else lies in the folder stays, so that it may be that of a run. progress: called with the name of each figure
    when it is drawn. Raises `InputError` where the folder cannot be written to.
    """
    out, record, drawn = Path(out), shift.to_dict(), {}
    words = in_words(record)
    for name, draw in PICTURES.items():
        figure = draw(shift)
        with whole_file(out / f"domain_shift_{name}.png") as temporary:
            figure.savefig(temporary, dpi=PIXELS_PER_INCH, facecolor="white")
        drawn[name] = Markup(to_svg(figure))
        if progress is not None:
            progress(name)
    write_json(out / RECORD, {**record, "meaning": list(words.values())})
    context = {"record": record, "words": words, "figures": drawn, "number": number, "parameters": _parameters(record)}
    write_text(out / PAGE, render("domain_shift.html.j2", context))
    return out / PAGE


def _parameters(record: dict) -> list[dict]:
    """All of the record but its long lists, in groups."""
    groups = {"Measure": {key: value for key, value in record.items() if not isinstance(value, (dict, list))}}
    groups |= {"Features": record["features"], "First domain": record["a"], "Second domain": record["b"]}
    return [{"title": title, "items": flatten(values)} for title, values in groups.items()]
