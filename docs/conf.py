"""Settings of Sphinx, which makes the documentation's web pages: ``make docs``."""

import audioclust

project = "audioclust"
author = "audioclust maintainers"
version = release = audioclust.__version__
copyright = author

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.mathjax", "numpydoc"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"audioclust {version}"

nb_execution_mode = "off"  # build.py has executed them, on the synthetic recordings
nb_merge_streams = True
myst_heading_anchors = 4
myst_enable_extensions = ["dollarmath"]

autodoc_typehints = "none"  # the docstrings say types, shapes and units
autodoc_member_order = "bysource"
autosummary_generate = True
autosummary_imported_members = True
autosummary_ignore_module_all = False
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
suppress_warnings = ["mystnb.unknown_mime_type", "myst.header"]  # results.md steps from the second level to the fourth
