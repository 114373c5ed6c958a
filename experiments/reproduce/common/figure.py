"""The record of a reproduced figure: trainings, checks and a picture."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from experiments.reproduce.common.checks import Check
from experiments.run_folder.results import Results

LONGEST = 6
"""Minutes of the longest figures that `all` draws."""


class Training(NamedTuple):
  """A run that a figure needs.

  Attributes:
    experiment: name of the experiment.
    settings: the settings that differ from the defaults, by name.
    num_seeds: trains this many consecutive seeds.
  """

  experiment: str
  settings: Mapping[str, Any] = {}
  num_seeds: int = 4


class Keep(Protocol):
  """Returns a part of a long computation: the kept one, or computes it."""

  def __call__(
    self,
    name: str,
    settings: Mapping[str, Any],
    compute: Callable[[], Mapping[str, np.ndarray]],
    /,
  ) -> Mapping[str, np.ndarray]: ...


class Inputs(NamedTuple):
  """What a figure is computed from.

  Attributes:
    runs: the finished trainings, by the names of `Reproduction.trainings`.
    seed: the first seed of what the figure trains itself.
    keep: keeps the parts of a figure that itself trains for many minutes, so
      that it goes on where it was interrupted.
  """

  runs: Mapping[str, Results] = {}
  seed: int = 0
  keep: Keep = lambda name, settings, compute: compute()


class Computed(NamedTuple):
  """The results of a figure's computation.

  Attributes:
    checks: the measured numbers, compared with the expected ones.
    drawn: the data of the picture, by name.
  """

  checks: Sequence[Check]
  drawn: Mapping[str, Any]


class Reproduction(NamedTuple):
  """A figure or table of a source, with its checks.

  Attributes:
    id: the value of `--figure`, and the stem of the file names.
    source: the publication and its figure, table or section.
    summary: one line that says what the figure shows.
    compute: computes and checks the numbers; draws nothing.
    draw: maps `Computed.drawn` to the picture; computes nothing.
    trainings: the runs that `compute` needs, by a name that the figure chooses.
    animate: maps `Computed.drawn` to the frames of an animation, if any.
    trains: whether `compute` itself trains a network.
    minutes: how long the figure takes on two CPU cores, its trainings included.
    full_trainings: the runs of the publication's length, for --full.
    published: the same figure at the settings of the publication or of its
      authors' code, for --published_settings.
  """

  id: str
  source: str
  summary: str
  compute: Callable[[Inputs], Computed]
  draw: Callable[[Mapping[str, Any]], Figure]
  trainings: Mapping[str, Training] = {}
  animate: Callable[[Mapping[str, Any]], Iterator[Image.Image]] | None = None
  trains: bool = False
  minutes: float = 0.2
  full_trainings: Mapping[str, Training] = {}
  published: "Reproduction | None" = None

  @property
  def trained(self) -> bool:
    """Whether drawing the figure needs trained networks."""
    return self.trains or bool(self.trainings)

  @property
  def long(self) -> bool:
    """Whether the figure takes so long that `all` leaves it out."""
    return self.minutes > LONGEST
