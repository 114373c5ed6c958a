"""Writes the pages that are made from the code: API, experiments and flags.

This is an extension of Sphinx, which conf.py names. It writes the pages before
Sphinx reads any page, and warns about missing names after Sphinx has read all.
"""

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import benchmarks.results
import benchmarks.run
import experiments
import gan_jax
from experiments.configs.fields import VARIES, FieldGroup, group_fields
from experiments.configs.registry import EXPERIMENTS
from experiments.run_folder import metric_table

LONGEST_VALUE = 300
"""Characters of the source of a constant up to which a page shows it."""


def setup(app: Any) -> dict[str, bool]:
  """Registers the extension with Sphinx."""
  app.connect("builder-inited", lambda app: write_pages(Path(app.srcdir)))
  app.connect("env-check-consistency", _check_complete)
  return {"parallel_read_safe": True, "parallel_write_safe": True}


def _check_complete(app: Any, env: Any) -> None:
  """Warns about public names of the library that are on no page."""
  # Only Sphinx calls this, and the tests of this module run without Sphinx.
  from sphinx.util import logging

  documented = {entry[0] for entry in env.get_domain("py").get_objects()}
  for name in undocumented_names(documented):
    logging.getLogger(__name__).warning("%s is on no page", name)


def write_pages(folder: Path) -> None:
  """Writes the pages below the folder of the documentation."""
  pages = {
    "experiments.md": experiments_page(),
    "flags.md": flags_page(),
    "metrics.md": metrics_page(),
  }
  for name, page in pages.items():
    _write(folder / "generated" / name, page)
  pages = {f"{name}.rst": api_page(name) for name in api_modules()}
  for name, page in {**pages, "index.rst": api_index()}.items():
    _write(folder / "api" / name, page)


def _write(path: Path, page: str) -> None:
  path.parent.mkdir(exist_ok=True)
  # Sphinx reads a page again whose file is newer than what it has built.
  if not path.exists() or path.read_text() != page:
    path.write_text(page)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
  head = tuple(head)
  lines = [head, ("---",) * len(head), *rows]
  return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def experiments_page() -> str:
  """Returns a table of all experiments."""
  return _table(
    ("name", "source", "what happens", "minutes"),
    (
      (f"`{e.name}`", e.source, e.summary, f"{e.minutes:.0f}")
      for e in EXPERIMENTS
    ),
  )


def metrics_page() -> str:
  """Returns a table of all metrics."""
  return _table(
    ("metric", "logged for", "meaning", "good values"),
    (
      (f"`{name}`", metric.logged_for, metric.meaning, metric.guide or "-")
      for name, metric in metric_table.METRICS.items()
    ),
  )


def commands() -> dict[str, type]:
  """Returns the class of the options of each command, by module."""
  names = [
    f"experiments.{module.name}"
    for module in pkgutil.iter_modules(experiments.__path__)
    if not module.ispkg
  ]
  found = {}
  for name in (*names, benchmarks.run.__name__, benchmarks.results.__name__):
    module = importlib.import_module(name)
    for value in vars(module).values():
      if (
        inspect.isclass(value)
        and value.__module__ == name
        and value.__name__.endswith("Options")
        and hasattr(module, "run")
      ):
        found[name] = value
  return found


def flags_page() -> str:
  """Returns tables of the flags of all commands and all settings."""
  parts = []
  for command, options in commands().items():
    parts.append(f"## python -m {command}\n")
    for group in group_fields([options]):
      parts.append(f"### {group.heading}\n\n{_flags(group, ())}")
  parts.append("## Settings of experiments\n")
  for group in group_fields(type(each.settings) for each in EXPERIMENTS):
    users = [e for e in EXPERIMENTS if isinstance(e.settings, group.cls)]
    names = (
      "all experiments"
      if len(users) == len(EXPERIMENTS)
      else ", ".join(f"`{e.name}`" for e in users)
    )
    parts.append(f"### {group.heading}\n\nOf {names}.\n")
    parts.append(_flags(group, [e.settings for e in users]))
  return "\n".join(parts)


def _flags(group: FieldGroup, settings: Collection[Any]) -> str:
  """Returns a table of flags, with the defaults that settings have."""
  rows = []
  for field in group.fields:
    default = field.default_text(settings)
    if default and default != VARIES:
      default = f"`{default}`"
    rows.append(
      (f"`--{field.name}`", default, field.allowed(), field.metadata["help"])
    )
  return _table(("flag", "default", "allowed", "meaning"), rows)


def api_modules() -> list[str]:
  """Lists the public modules and packages directly in `gan_jax`."""
  return [
    f"gan_jax.{module.name}"
    for module in pkgutil.iter_modules(gan_jax.__path__)
    if not module.name.startswith("_")
  ]


def api_index() -> str:
  """Returns the page that lists the pages of the API."""
  title = "Reference of the library"
  modules = "".join(f"   {name}\n" for name in api_modules())
  return (
    f"{title}\n{'=' * len(title)}\n\n"
    ".. automodule:: gan_jax\n\n"
    # The package imports it when it is used, so Sphinx does not find it.
    ".. autofunction:: gan_jax.simultaneous\n\n"
    f".. toctree::\n   :maxdepth: 1\n\n{modules}"
  )


def api_page(name: str) -> str:
  """Returns the page of a module, or of a package and its modules."""
  package = importlib.import_module(name)
  parts = [_automodule(package, "=", None), *_constants(package)]
  for module, names in _sections(name):
    parts.append(_automodule(module, "-", names))
  return "\n".join(parts)


def _automodule(
  module: ModuleType, underline: str, names: Collection[str] | None
) -> str:
  title = module.__name__
  text = f"{title}\n{underline * len(title)}\n\n.. automodule:: {title}\n"
  if names is None:
    return text + "   :members:\n"
  return text + f"   :members: {', '.join(names)}\n"


def _constants(package: ModuleType) -> Iterator[str]:
  """Yields entries for the types and constants that a package exports.

  Their docstrings follow them in the modules that define them, where Sphinx
  does not look.
  """
  names = [
    name
    for name in getattr(package, "__all__", ())
    if not _has_docstring(getattr(package, name))
  ]
  for module in pkgutil.iter_modules(getattr(package, "__path__", ())):
    child = importlib.import_module(f"{package.__name__}.{module.name}")
    body = ast.parse(inspect.getsource(child)).body
    for node, following in zip(body, [*body[1:], None], strict=True):
      targets = getattr(node, "targets", [getattr(node, "target", None)])
      for target in targets:
        if isinstance(target, ast.Name) and target.id in names:
          text = ""
          if isinstance(following, ast.Expr):
            text = ast.literal_eval(following.value)
          names.remove(target.id)
          yield _constant(package.__name__, target.id, node, text)


def _constant(package: str, name: str, node: Any, text: str) -> str:
  value = ast.unparse(node.value)
  lines = [f".. py:data:: {name}", f"   :module: {package}"]
  if len(value) < LONGEST_VALUE:
    lines.append(f"   :value: {value}")
  lines += ["", *(f"   {line}" for line in inspect.cleandoc(text).splitlines())]
  return "\n".join(lines) + "\n"


def _has_docstring(value: Any) -> bool:
  return (
    inspect.isfunction(value)
    or inspect.isclass(value)
    or inspect.ismodule(value)
  )


def _sections(package: str) -> Iterator[tuple[ModuleType, list[str]]]:
  """Yields the public modules of a package and what only they export."""
  parent = importlib.import_module(package)
  exported = set(getattr(parent, "__all__", ()))
  for module in pkgutil.iter_modules(getattr(parent, "__path__", ())):
    child = importlib.import_module(f"{package}.{module.name}")
    # A function has the name of its module: the function is documented.
    is_shadowed = inspect.isfunction(vars(parent).get(module.name))
    if module.name.startswith("_") or module.ispkg or is_shadowed:
      continue
    siblings = {
      f"{package}.{each.name}"
      for each in pkgutil.iter_modules(getattr(parent, "__path__", ()))
    } - {child.__name__}
    names = [
      name
      for name in public_names(child)
      # A class is on the page once, where it is defined.
      if name not in exported
      and getattr(getattr(child, name), "__module__", "") not in siblings
    ]
    if names:
      yield child, names


def public_names(module: ModuleType) -> list[str]:
  """Lists what a module exports: `__all__`, or its functions and classes."""
  if hasattr(module, "__all__"):
    return [
      name
      for name in module.__all__
      if not inspect.ismodule(getattr(module, name))
    ]
  return [
    name
    for name, value in vars(module).items()
    if not name.startswith("_")
    and (inspect.isfunction(value) or inspect.isclass(value))
    and value.__module__ == module.__name__
  ]


def undocumented_names(documented: Collection[str]) -> list[str]:
  """Lists the public names of the library that are on no page.

  Args:
    documented: full names of all that the pages describe.
  """
  expected = {f"gan_jax.{name}" for name in public_names(gan_jax)}
  for name in api_modules():
    module = importlib.import_module(name)
    expected |= {f"{name}.{each}" for each in public_names(module)}
    for child, names in _sections(name):
      expected |= {f"{child.__name__}.{each}" for each in names}
  return sorted(expected - set(documented))
