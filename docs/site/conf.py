"""Settings of Sphinx for the site; `tools/build_site.py` calls it (make docs)."""

import helpers

project = "Accelerating molecular dynamics with machine learning"
copyright = "the contributors of mlmd-workshop, BSD-3-Clause"
release = version = helpers.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "numpydoc", "sphinx-mathjax-offline"]
root_doc = "index"
html_theme = "furo"
html_title = "Molecular dynamics with machine learning"
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False

myst_enable_extensions = ["dollarmath", "amsmath", "deflist"]
myst_dmath_double_inline = True
myst_heading_anchors = 3
nb_execution_mode = "off"  # tools/build_site.py runs the lessons
nb_render_image_options = {"width": "100%"}
nb_ipywidgets_js = {}  # nothing from the network

autodoc_member_order = "alphabetical"
autodoc_typehints = "none"  # the docstrings tell types, shapes and units
autodoc_class_signature = "mixed"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
suppress_warnings = ["myst.header"]  # data/water/generate begins a section at the third level


def _skip(app, what, name, value, skip, options):  # methods that scikit-learn adds
    return True if name.startswith("set_") and name.endswith("_request") else None


def _shorten(app, what, name, value, options, lines):  # how a face loads its names
    if what == "module":
        del lines[1:]


def setup(app):
    """Connect what Sphinx calls while it builds."""
    app.connect("autodoc-skip-member", _skip)
    app.connect("autodoc-process-docstring", _shorten)
