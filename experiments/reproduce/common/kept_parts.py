"""Keeps the parts of a long computation, so that it can be stopped."""

import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from experiments.cli import console
from experiments.run_folder import results

Arrays = Mapping[str, np.ndarray]
_SETTINGS = "settings"


class KeptParts:
  """Loads the parts that are done, and computes and writes the others.

  Attributes:
    folder: the folder of the files, one for each part.
    should_stop: whether the process was interrupted.
  """

  def __init__(self, folder: Path, should_stop: Callable[[], bool]):
    self.folder = folder
    self.should_stop = should_stop

  def __call__(
    self, name: str, settings: Mapping[str, Any], compute: Callable[[], Arrays]
  ) -> Arrays:
    """Returns the arrays of a part.

    Args:
      name: the name of the part, and of its file.
      settings: all that the part depends on. It is computed again if the kept
        one had other settings.
      compute: computes the part.

    Raises:
      KeyboardInterrupt: if the process was interrupted before this part.
    """
    path = self.folder / f"{name}.npz"
    identity = json.dumps(settings, sort_keys=True, default=str)
    try:
      with path.open("rb") as file, np.load(file) as arrays:
        kept = dict(arrays)
      if str(kept.pop(_SETTINGS)) == identity:
        console.say(f"  loads {path}")
        return kept
      console.say(f"  {path} has other settings; it is computed again")
    except FileNotFoundError:
      pass
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
      console.say(f"  {path} is damaged; it is computed again")
    if self.should_stop():
      raise KeyboardInterrupt
    computed = compute()
    self.folder.mkdir(parents=True, exist_ok=True)
    with results.replacing(path) as partial, partial.open("wb") as file:
      np.savez(file, allow_pickle=False, **{_SETTINGS: identity}, **computed)
    return computed
