"""Imports the modules of docs/, which are in no package."""

import importlib.util
from pathlib import Path
from types import ModuleType

DOCS = Path(__file__).parents[1] / "docs"


def load(name: str) -> ModuleType:
  """Imports docs/NAME.py."""
  spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
  assert spec and spec.loader
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module
