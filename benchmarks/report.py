"""What a suite reports: rows, ratios, what operations allow; and its tables."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.timing import ratio

PYTORCH = "pytorch"
"""What the names of PyTorch's contestants start with."""
MIN_WIDTH = 145
"""Columns of the table; a wrapped line is better than a cut number."""
FAST = 100
"""Steps per second from which decimals say nothing."""


class Row(NamedTuple):
  """A contestant's measurements on one batch size.

  Attributes:
    game: that is played.
    name: of the contestant.
    update: "alternating" or "simultaneous".
    batch_size: real samples in a move of a player, and as many latents.
    num_seeds: trained side by side.
    variant: the best of those that were tried.
    steps_per_second: median over the rounds, of all seeds together.
    rounds: steps per second of all seeds together in each round.
    by_variant: the median for each variant.
    first_step_seconds: from nothing, but for the import of the framework, to
      the end of the first step in a fresh process that finds no compiled
      program. This and the next two are None where they are not measured.
    restart_seconds: the same in another, which finds those of the first.
    peak_memory_mib: peak resident memory of the first of these processes, on
      the host.
  """

  game: str
  name: str
  update: str
  batch_size: int
  num_seeds: int
  variant: str
  steps_per_second: float
  rounds: tuple[float, ...]
  by_variant: dict[str, float]
  first_step_seconds: float | None
  restart_seconds: float | None
  peak_memory_mib: float | None


class Missing(NamedTuple):
  """A contestant that could not start, and why."""

  game: str
  name: str
  batch_size: int
  reason: str


class Bound(NamedTuple):
  """What the operations of a step alone allow.

  Attributes:
    game: that is played.
    batch_size: of the game.
    flops_per_step: additions and multiplications.
    products: the matrices that the rate is measured on.
    gflops: the rate, in 1e9 operations a second.
    steps_per_second: that the rate allows.
    reached: the part that a contestant has reached, by name.
  """

  game: str
  batch_size: int
  flops_per_step: int
  products: str
  gflops: float
  steps_per_second: float
  reached: dict[str, float]


def bound(
  rows: Sequence[Row], flops_per_step: int, products: str, rate: float
) -> Bound:
  """Compares rows of one game and batch size with a rate of operations.

  Args:
    rows: of contestants whose step has the operations.
    flops_per_step: the operations.
    products: what the rate is measured on.
    rate: operations per second.

  Returns:
    The bound.
  """
  steps_per_second = rate / flops_per_step
  return Bound(
    rows[0].game,
    rows[0].batch_size,
    flops_per_step,
    products,
    rate / 1e9,
    steps_per_second,
    {row.name: row.steps_per_second / steps_per_second for row in rows},
  )


def ratios(rows: Sequence[Row], reference: str) -> dict[str, Any]:
  """Compares every contestant with others at the same game and batch size.

  Args:
    rows: of all contestants, some of PyTorch's in every game.
    reference: name of a contestant, which need not play every game.

  Returns:
    By game and batch size, `best_pytorch`, the name of the fastest, and by
    contestant `to_best_pytorch` and, where the reference plays,
    `to_{reference}`: medians over the rounds of the ratio of its steps per
    second, of all seeds together, to theirs.
  """
  compared = {}
  for game, batch_size in dict.fromkeys((r.game, r.batch_size) for r in rows):
    own = {
      row.name: row
      for row in rows
      if (row.game, row.batch_size) == (game, batch_size)
    }
    best = max(
      (row for name, row in own.items() if name.startswith(PYTORCH)),
      key=lambda row: row.steps_per_second,
    )
    others = {"to_best_pytorch": best}
    if reference in own:
      others[f"to_{reference}"] = own[reference]
    compared.setdefault(game, {})[str(batch_size)] = {
      "best_pytorch": best.name,
      "contestants": {
        name: {
          key: ratio(row.rounds, other.rounds) for key, other in others.items()
        }
        for name, row in own.items()
      },
    }
  return compared


def print_report(report: dict[str, Any]) -> None:
  """Prints the tables of a report to the standard output."""
  console = Console()
  console = Console(width=max(MIN_WIDTH, console.width))
  machine = report["machine"]
  one, five, fifteen = machine["load_average"]
  console.print(
    f"{report['suite']} on {machine['device']}; load average before "
    f"{one:.2f}, {five:.2f}, {fifteen:.2f}"
  )
  for game, batches in report["ratios"].items():
    for batch_size, compared in batches.items():
      rows = [
        row
        for row in report["rows"]
        if (row["game"], str(row["batch_size"])) == (game, batch_size)
      ]
      title = f"{game}, batch {batch_size}"
      console.print(
        _table(title, rows, compared["contestants"], report["reference"])
      )
  for missing in report["missing"]:
    console.print(
      f"{missing['name']} is missing from {missing['game']} at batch "
      f"{missing['batch_size']}: {missing['reason']}",
      highlight=False,
      markup=False,
    )
  console.print(_bounds_table(report["bounds"]))


def _rate(steps_per_second: float) -> str:
  """Writes a number of steps per second."""
  if steps_per_second >= FAST:
    return f"{steps_per_second:,.0f}"
  return f"{steps_per_second:.3g}"


def _optional(number: float | None, form: str = ".2f") -> str:
  """Writes a number that need not be there."""
  return "-" if number is None else format(number, form)


def _table(
  title: str,
  rows: Sequence[dict],
  compared: dict[str, dict[str, float]],
  reference: str,
) -> Table:
  """Makes the table of one game and batch size."""
  table = Table(title=title)
  for heading in ("contestant", "update"):
    table.add_column(heading, no_wrap=True)
  table.add_column("seeds", justify="right")
  table.add_column("variants, steps/s", no_wrap=True)
  for heading in (
    "steps/s, all seeds",
    "to best PyTorch",
    f"to {reference.replace('_', ' ')}",
    "first step, s",
    "restart, s",
    "peak MiB",
  ):
    table.add_column(heading, justify="right", overflow="fold")
  for row in rows:
    variants = [
      f"{variant} {_rate(rate)}" for variant, rate in row["by_variant"].items()
    ]
    own = compared[row["name"]]
    table.add_row(
      row["name"],
      row["update"],
      str(row["num_seeds"]),
      "\n".join(variants) if len(variants) > 1 else "",
      _rate(row["steps_per_second"]),
      f"{own['to_best_pytorch']:.2f}",
      _optional(own.get(f"to_{reference}")),
      _optional(row["first_step_seconds"]),
      _optional(row["restart_seconds"]),
      _optional(row["peak_memory_mib"], ",.0f"),
    )
  return table


def _bounds_table(bounds: Sequence[dict[str, Any]]) -> Table:
  """Makes the table of what the matrix products alone allow."""
  table = Table(
    title="simultaneous steps/s that the matrix products alone allow, and the "
    "part reached"
  )
  table.add_column("game", no_wrap=True)
  table.add_column("batch", justify="right")
  table.add_column("MFLOP a step", justify="right")
  table.add_column("products of", no_wrap=True)
  table.add_column("GFLOP/s", justify="right")
  table.add_column("steps/s", justify="right")
  table.add_column("reached by")
  for entry in bounds:
    table.add_row(
      entry["game"],
      str(entry["batch_size"]),
      f"{entry['flops_per_step'] / 1e6:,.1f}",
      entry["products"],
      f"{entry['gflops']:,.0f}",
      _rate(entry["steps_per_second"]),
      ", ".join(
        f"{name} {part:.0%}" for name, part in entry["reached"].items()
      ),
    )
  return table
