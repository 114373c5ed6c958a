"""The type of an experiment: a named game with settings, score and figures."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from experiments.configs.settings import Settings

if TYPE_CHECKING:
  import numpy as np
  from matplotlib.figure import Figure
  from PIL import Image

  from experiments.run_folder.results import Results
  from gan_jax.training import Problem
  from gan_jax.types import Array, TrainState


class Generator(NamedTuple):
  """What draws the samples of a trained run, without the data it trained on.

  Attributes:
    init: key -> a state, which shows the structure of trained ones.
    sample: as of `Problem`.
    class_names: as of `Problem`.
  """

  init: Callable[..., TrainState]
  sample: Callable[..., Array]
  class_names: tuple[str, ...]


class Experiment(NamedTuple):
  """A named game, with its score and its figures.

  Attributes:
    name: the value of `--experiment`.
    source: the publication, figure or table that it is from.
    summary: one line for `--list`.
    settings: the defaults; their class defines which settings there are.
    build: settings -> the problem to train.
    score: results -> [num_seeds, num_logs] in [0, 1], NaN after a seed has
      failed. It compares with a constant named in the experiment's file.
    figures: file name -> function of Results that returns a figure (.png) or
      frames (.gif).
    metric_figures: those of the figures that draw metrics of samples; a run
      with --noevaluate does not have them.
    builder: settings -> `build` for settings that differ from them only in
      fields that vary; it reads the data once. None if `build` reads no data.
    generator: (settings, description of the data in the run folder) -> the
      generator. None if `build` reads no data.
    minutes: how long a run of one seed takes with the default settings on two
      CPU cores, about.
    presets: other values of settings by the name of `--preset`.
  """

  name: str
  source: str
  summary: str
  settings: Settings
  build: Callable[[Any], Problem]
  score: Callable[[Results], np.ndarray]
  figures: Mapping[str, Callable[[Results], Figure | Iterator[Image.Image]]]
  metric_figures: Collection[str] = ()
  builder: Callable[[Any], Callable[[Any], Problem]] | None = None
  generator: Callable[[Any, Mapping[str, Any]], Generator] | None = None
  minutes: float = 1
  presets: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
