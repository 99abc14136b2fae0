"""From a template of ours and what it shows to the text of a page."""
from __future__ import annotations

from collections.abc import Mapping

import jinja2


def render(name: str, context: Mapping[str, object]) -> str:
    """Text of the template `name` filled with `context`; of a page words are escaped, `Markup` is not.

    Of a template that ends in `.md.j2` nothing is: Markdown has rules of its own.
    """
    loader = jinja2.PackageLoader("mstl.reporting", "templates")
    escape = not name.endswith(".md.j2")
    environment = jinja2.Environment(loader=loader, autoescape=escape, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template(name).render(context)
