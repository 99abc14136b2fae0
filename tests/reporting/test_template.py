"""Templates: words are escaped, markup is not."""
import pytest
from jinja2 import TemplateNotFound
from markupsafe import Markup

from mstl.reporting.template import render


def test_words_are_escaped_and_markup_is_not():
    context = {"experiment": [{"title": "<b>", "items": [("key", Markup("<i>one</i>"))]}], "folder": "a & b"}
    text = render("record.html.j2", context)
    assert "&lt;b&gt;" in text
    assert "<i>one</i>" in text
    assert "a &amp; b" in text


def test_an_unknown_template_is_an_error():
    with pytest.raises(TemplateNotFound):
        render("none.html.j2", {})
