"""What an experiment is."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from experiments.configs.settings import Settings
from experiments.run_folder.results import Results
from gan_jax.training import Problem


class Experiment(NamedTuple):
  """A named game, how it is scored and how it is drawn.

  Attributes:
    name: what `--experiment` calls it.
    source: the text, figure or table that it comes from.
    summary: one line for `--list`.
    settings: the defaults; their class says which flags there are.
    build: settings -> the problem to train.
    score: results -> [num_seeds, num_logs] in [0, 1], NaN where a member had
      failed. It measures against a constant named in the experiment's file.
    figures: file name -> Results -> a figure (.png) or frames (.gif).
    builder: settings -> `build` for settings that differ from them only in
      fields that vary, with its data read once; None where `build` reads none.
  """

  name: str
  source: str
  summary: str
  settings: Settings
  build: Callable[[Any], Problem]
  score: Callable[[Results], np.ndarray]
  figures: Mapping[str, Callable[[Results], Figure | Iterator[Image.Image]]]
  builder: Callable[[Any], Callable[[Any], Problem]] | None = None
