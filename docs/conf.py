"""How Sphinx builds the documentation: `sphinx-build -W --keep-going -b html docs docs/_build/html`."""
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

import mstl  # noqa: E402

project = "mstl"
author = "The authors of mstl"
project_copyright = ""
version = release = mstl.__version__

extensions = ["myst_nb", "mstl_site"]
exclude_patterns = ["_build", "_ext"]
nb_execution_mode = "off"  # notebooks are shown as they were committed
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
smartquotes = False  # two dashes begin an option
add_module_names = False
python_use_unqualified_type_names = True
maximum_signature_line_length = 88

html_theme = "furo"
html_title = f"mstl {release}"
html_static_path = ["_static"]
html_css_files = ["mstl.css"]
html_copy_source = False
html_show_copyright = False
