"""What a reproduced figure is: trainings, numbers, checks and a picture."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from experiments.run_folder.results import Results

RELATIONS: Mapping[str, Callable[[float, float, float], bool]] = {
  # (measured, expected, tolerance) -> whether the check passes. Infinities are
  # equal to themselves, although their difference is not a number.
  "within": lambda measured, expected, tolerance: (
    measured == expected or abs(measured - expected) <= tolerance
  ),
  "at least": lambda measured, expected, tolerance: (
    measured >= expected - tolerance
  ),
  "at most": lambda measured, expected, tolerance: (
    measured <= expected + tolerance
  ),
}


class Check(NamedTuple):
  """One number of a figure, what it should be, and what would betray an error.

  Attributes:
    name: what is measured; the figure's `compute` measures it by this name.
    expected: the value it should have, or a function that computes it (by
      another way than the measurement); None where nothing but an unconfirmed
      published number is known, so that there is nothing to pass or fail.
    tolerance: by how much the measurement may differ.
    origin: where `expected` comes from: a closed form written out, a
      quadrature, a publication with its table or figure.
    relation: within, at least or at most.
    wrong: what a mistake would measure, by the name of the mistake, such as
      "swapped arguments"; none of these may pass. A wrong sign and a factor of
      2 either way go without saying where `relation` is within.
    published: the number a publication gives, which does not decide.
    unconfirmed: whether `published` is from memory instead of the publication.
  """

  name: str
  expected: float | Callable[[], float] | None
  tolerance: float
  origin: str
  relation: str = "within"
  wrong: Mapping[str, float | Callable[[], float]] = {}
  published: float | None = None
  unconfirmed: bool = False

  def judge(self, measured: float) -> dict[str, Any]:
    """Compares a measurement with the expectation.

    Args:
      measured: the measurement; NaN never passes.

    Returns:
      The check as the figure's JSON file holds it. `passed` is None where
      nothing is expected.
    """
    measured = float(measured)
    expected = passed = None
    if self.expected is not None:
      expected = evaluate(self.expected)
      # A tolerance of NumPy would make a NumPy bool of it, which is no JSON.
      passed = bool(
        RELATIONS[self.relation](measured, expected, self.tolerance)
      )
    return {
      "name": self.name,
      "measured": _json_number(measured),
      "expected": None if expected is None else _json_number(expected),
      "tolerance": float(self.tolerance),
      "relation": self.relation,
      "origin": self.origin,
      "published": self.published,
      "unconfirmed": self.unconfirmed,
      "passed": passed,
      "wrong": {
        name: _json_number(evaluate(value))
        for name, value in self.wrong.items()
      },
    }


def evaluate(value: float | Callable[[], float]) -> float:
  """Returns a number that may be given as the function that computes it."""
  return float(value() if callable(value) else value)


def _json_number(value: float) -> float | str:
  """Spells out what JSON cannot write as a number: inf, -inf and nan."""
  return value if math.isfinite(value) else str(value)


class Training(NamedTuple):
  """A run that a figure needs.

  Attributes:
    experiment: name of the experiment.
    settings: the settings that differ from its defaults, by name.
    num_seeds: members: seeds 0, 1, ...
  """

  experiment: str
  settings: Mapping[str, Any] = {}
  num_seeds: int = 4


class Computed(NamedTuple):
  """What a figure's computation leaves.

  Attributes:
    measured: a number for each check, by its name.
    drawn: what the picture needs, by name.
  """

  measured: Mapping[str, float | np.floating]
  drawn: Mapping[str, Any]


class Reproduction(NamedTuple):
  """A figure or table of a source, with its checks.

  Attributes:
    id: what `--figure` calls it, and the stem of its files.
    source: the text, and the figure, table or section, that it redraws.
    summary: one line: what it shows.
    compute: the finished trainings by name -> numbers; it draws nothing.
    checks: what must hold of the numbers.
    draw: `Computed.drawn` -> the picture; it computes nothing.
    trainings: the runs that `compute` reads, by a name of the figure's own.
    animate: `Computed.drawn` -> the frames of an animation, where there is one.
    trains: whether `compute` itself trains a network.
    long: whether it takes so many minutes that `all` leaves it out.
    full_trainings: the runs of the publication's length, which --full reads in
      the place of shorter ones.
  """

  id: str
  source: str
  summary: str
  compute: Callable[[Mapping[str, Results]], Computed]
  checks: tuple[Check, ...]
  draw: Callable[[Mapping[str, Any]], Figure]
  trainings: Mapping[str, Training] = {}
  animate: Callable[[Mapping[str, Any]], Iterator[Image.Image]] | None = None
  trains: bool = False
  long: bool = False
  full_trainings: Mapping[str, Training] = {}

  @property
  def trained(self) -> bool:
    """Whether it takes training, its own or a run's, to draw it."""
    return self.trains or bool(self.trainings)

  def judge(self, computed: Computed) -> list[dict[str, Any]]:
    """Judges every check; raises KeyError unless the names are the same."""
    if computed.measured.keys() != {check.name for check in self.checks}:
      raise KeyError(
        f"{self.id} measures {sorted(computed.measured)} but checks "
        f"{sorted(check.name for check in self.checks)}"
      )
    return [
      check.judge(float(computed.measured[check.name])) for check in self.checks
    ]
