"""The folder of files that can be made again, such as decoded images."""

import os
from pathlib import Path


def cache_dir() -> Path:
  """Returns the folder of this program's caches."""
  home = os.environ.get("XDG_CACHE_HOME")
  return (Path(home) if home else Path.home() / ".cache") / "gan_jax"
