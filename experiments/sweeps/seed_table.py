"""results.csv: a row for each trial and seed of a sweep."""

import csv
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from experiments.configs.fields import fields_of
from experiments.run_folder import results
from experiments.sweeps.plan import Plan
from experiments.sweeps.ranking import Measured


def write(plan: Plan, measured: Sequence[Measured], path: Path) -> None:
  """Writes what each seed of each trial measured.

  The columns are `trial`, `seed`, every setting as its flag takes it, `failed`
  (true or false), `failed_at` (the step), and `NAME_final` and `NAME_best` of
  the score and of each metric, with all their digits. A number that a seed does
  not have leaves its cell empty.

  Args:
    plan: of the sweep.
    measured: by each trial.
    path: the file, which is replaced.

  Raises:
    OSError: if it cannot be written.
  """
  fields = fields_of(type(plan.base.settings))
  names = list(dict.fromkeys(name for own in measured for name in own.final))
  with (
    results.replacing(path) as partial,
    partial.open("w", newline="", encoding="utf-8") as file,
  ):
    table = csv.writer(file, lineterminator="\n")
    table.writerow(
      [
        *("trial", "seed"),
        *(field.name for field in fields),
        *("failed", "failed_at"),
        *(f"{name}_{which}" for name in names for which in ("final", "best")),
      ]
    )
    for own in measured:
      run = own.trial.run
      settings = [
        field.format(getattr(run.settings, field.name)) for field in fields
      ]
      for index, seed in enumerate(run.seeds):
        failed = seed in own.failures
        table.writerow(
          [
            *(own.trial.name, seed),
            *settings,
            *(str(failed).lower(), own.failures.get(seed, "")),
            *_numbers(
              values[name][index] if name in values else math.nan
              for name in names
              for values in (own.final, own.best)
            ),
          ]
        )


def _numbers(values: Iterable[float]) -> list[str]:
  return ["" if math.isnan(value) else repr(float(value)) for value in values]
