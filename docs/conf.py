"""The configuration of Sphinx, which builds these pages: `make docs`."""

import ast
import inspect
import re
import sys
import textwrap
from pathlib import Path

# Sphinx imports the extension reference_pages from this folder.
sys.path.insert(0, str(Path(__file__).parent))

project = "gan_jax"
author = "the authors of gan_jax"
copyright = author
extensions = [
  "myst_parser",
  "sphinx.ext.autodoc",
  "sphinx.ext.napoleon",
  "sphinx.ext.viewcode",
  "sphinx_copybutton",
  "sphinx_gallery.gen_gallery",
  "reference_pages",
]
exclude_patterns = ["generated/*"]
# Links to headings, such as page.md#what-a-run-costs.
myst_heading_anchors = 3
suppress_warnings = [
  # The configuration below names functions, so it cannot be compared.
  "config.cache",
  # The pages that are included begin with the heading of their file.
  "myst.header",
  # A block of Python may show a part of a file.
  "misc.highlighting_failure",
]

html_theme = "furo"
html_title = "gan_jax"
html_static_path = []
# Links to other sites cannot be checked where there is no network:
# `sphinx-build -b linkcheck` does it where there is.

# Docstrings are plain text with names in backticks, not reStructuredText.
default_role = "code"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_attr_annotations = False
autodoc_default_options = {
  "member-order": "bysource",
  "special-members": "__call__",
}
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 78
# Types of other libraries and type variables have no page here.
nitpick_ignore_regex = [("py:.*", r"(?!gan_jax\.).*|.*\.T_co")]

sphinx_gallery_conf = {
  "examples_dirs": "../examples",
  "gallery_dirs": "gallery",
  "filename_pattern": r"\.py$",
  "ignore_pattern": r"__init__\.py$",
  "within_subsection_order": "FileNameSortKey",
  "download_all_examples": False,
  "remove_config_comments": True,
  "show_memory": False,
  "min_reported_time": 1,
  "only_warn_on_example_error": False,
}

_SECTION = re.compile(
  r"\s*(Args|Attributes|Returns|Raises|Yields|References|Example|Examples):$"
)


def _as_rst(app, what, name, obj, options, lines):
  """Makes a docstring valid reStructuredText.

  Characters of formulas that have a meaning there are escaped, indented
  formulas become literal blocks, and references become a list.
  """
  result, section, block, previous = [], "", None, ""
  after_blank = False
  for line in lines:
    text, indent = line.strip(), _indent(line)
    if _SECTION.match(line):
      section = text
    elif text and indent <= _indent(section) and section and not indent:
      section = ""
    if block is not None and text and indent < block:
      block = None
    is_deeper = indent > _indent(previous)
    if section == "References:" and text and text != section:
      is_entry = previous.rstrip().endswith((".", ":"))
      line = f"  * {_escaped(text)}" if is_entry else f"    {_escaped(text)}"
    elif (
      block is None
      and after_blank
      and is_deeper
      and text
      and not _SECTION.match(previous)
    ):
      block = indent
      result += [" " * _indent(previous) + "::", ""]
    if block is None and section != "References:":
      line = _escaped(line)
    result.append(line)
    after_blank = not text and bool(previous)
    previous = line if text else previous
  lines[:] = result


def _indent(line):
  return len(line) - len(line.lstrip())


def _escaped(line):
  """Escapes what has a meaning in reStructuredText, outside of backticks."""
  parts = line.split("`")
  for index in range(0, len(parts), 2):
    parts[index] = re.sub(r"([*|\\])", r"\\\1", parts[index])
    parts[index] = re.sub(r"(\w)_(?!\w)", r"\1\\_", parts[index])
    if index and parts[index][:1].isalnum():
      parts[index] = f"\\ {parts[index]}"
  return "`".join(parts)


def _as_written(app, what, name, obj, options, signature, returned):
  """Takes signatures from the source, where types have their short names."""
  if what not in ("class", "function", "method"):
    return None
  try:
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(obj))).body
  except (OSError, TypeError, SyntaxError):
    return None
  if isinstance(node, ast.FunctionDef):
    arguments = node.args
    if what == "method" and arguments.args:
      arguments.args.pop(0)
    returns = ast.unparse(node.returns) if node.returns else None
    return f"({ast.unparse(arguments)})", returns
  fields = [
    ast.unparse(each)
    for each in getattr(node, "body", ())
    if isinstance(each, ast.AnnAssign)
  ]
  return (f"({', '.join(fields)})", None) if fields else None


def _skip(app, what, name, obj, skip, options):
  """Leaves out the fields of named tuples, which their class describes."""
  doc = getattr(obj, "__doc__", None) or ""
  return True if doc.startswith("Alias for field number") else None


def setup(app):
  app.connect("autodoc-process-docstring", _as_rst, priority=400)
  app.connect("autodoc-process-signature", _as_written)
  app.connect("autodoc-skip-member", _skip)
