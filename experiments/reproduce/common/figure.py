"""The record of a reproduced figure: trainings, checks and a picture."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from experiments.run_folder.results import Results

RELATIONS: Mapping[str, Callable[[float, float, float], bool]] = {
  # (measured, expected, tolerance) -> whether the check passes. The difference
  # of two equal infinities is NaN, so equality is tested first.
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
  """A number of a figure, its expected value and typical wrong values.

  Attributes:
    name: what is measured; a key of `Computed.measured`.
    expected: the expected value, or a function that computes it independently
      of the measurement. None if only a published number is known; the check
      then neither passes nor fails.
    tolerance: the largest difference that passes.
    origin: where `expected` comes from: a closed form, a quadrature, or a
      publication with its table or figure.
    relation: "within", "at least" or "at most".
    wrong: typical mistakes, such as "swapped arguments", and the value that
      each would give; a test ensures that every mistake fails the check. For
      the relation "within" a wrong sign and a factor of 2 are tested as well.
    published: the published number, for comparison only.
    unconfirmed: whether `published` could not be found in the publication.
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
    """Compares a measurement with the expectation; NaN never passes.

    Returns:
      The check as it is written to the figure's JSON file. `passed` is None if
      nothing is expected.
    """
    measured = float(measured)
    expected = passed = None
    if self.expected is not None:
      expected = evaluate(self.expected)
      # JSON cannot hold the NumPy bool that a NumPy tolerance would give.
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
  """Returns a number that is given as such or as a function."""
  return float(value() if callable(value) else value)


def _json_number(value: float) -> float | str:
  """Writes inf, -inf and nan as strings, because JSON has no such numbers."""
  return value if math.isfinite(value) else str(value)


class Training(NamedTuple):
  """A run that a figure needs.

  Attributes:
    experiment: name of the experiment.
    settings: the settings that differ from the defaults, by name.
    num_seeds: trains the seeds 0, 1, ..., num_seeds - 1.
  """

  experiment: str
  settings: Mapping[str, Any] = {}
  num_seeds: int = 4


class Computed(NamedTuple):
  """The results of a figure's computation.

  Attributes:
    measured: the measurement of each check, by the name of the check.
    drawn: the data of the picture, by name.
  """

  measured: Mapping[str, float | np.floating]
  drawn: Mapping[str, Any]


class Reproduction(NamedTuple):
  """A figure or table of a source, with its checks.

  Attributes:
    id: the value of `--figure`, and the stem of the file names.
    source: the publication and its figure, table or section.
    summary: one line that says what the figure shows.
    compute: maps finished trainings, by name, to numbers; draws nothing.
    checks: the checks of these numbers.
    draw: maps `Computed.drawn` to the picture; computes nothing.
    trainings: the runs that `compute` needs, by a name that the figure chooses.
    animate: maps `Computed.drawn` to the frames of an animation, if any.
    trains: whether `compute` itself trains a network.
    long: whether the figure takes many minutes, so that `all` leaves it out.
    full_trainings: the runs of the publication's length, for --full.
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
    """Whether drawing the figure needs trained networks."""
    return self.trains or bool(self.trainings)

  def judge(self, computed: Computed) -> list[dict[str, Any]]:
    """Judges every check.

    Raises:
      KeyError: The measurements and the checks have different names.
    """
    if computed.measured.keys() != {check.name for check in self.checks}:
      raise KeyError(
        f"{self.id} measures {sorted(computed.measured)} but checks "
        f"{sorted(check.name for check in self.checks)}"
      )
    return [
      check.judge(float(computed.measured[check.name])) for check in self.checks
    ]
