"""What a suite reports: rows, ratios to PyTorch, the floor; and its table."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.timing import ratio

EAGER = "pytorch_eager"
"""The textbook loop, which ratios are taken to beside the best PyTorch."""
PYTORCH = "pytorch"
"""What the names of PyTorch's contestants start with."""
MIN_WIDTH = 110
"""Columns of the table; a wrapped line is better than a cut number."""


class Row(NamedTuple):
  """A contestant's measurements on one batch size.

  Attributes:
    game: that is played.
    name: of the contestant.
    update: "alternating" or "simultaneous".
    batch_size: real samples in a move of a player, and as many latents.
    num_seeds: trained side by side.
    threads: the best of the numbers of threads that were tried.
    steps_per_second: median over the rounds, of all seeds together.
    rounds: steps per second of all seeds together in each round.
    by_threads: the median for each number of threads.
    first_step_seconds: from nothing to the end of the first step, compilation
      included and no program taken from a cache.
    peak_memory_mib: peak resident memory of a process that does nothing else.
  """

  game: str
  name: str
  update: str
  batch_size: int
  num_seeds: int
  threads: int
  steps_per_second: float
  rounds: tuple[float, ...]
  by_threads: dict[int, float]
  first_step_seconds: float
  peak_memory_mib: float


class Missing(NamedTuple):
  """A contestant that could not start, and why."""

  game: str
  name: str
  batch_size: int
  reason: str


def ratios(rows: Sequence[Row]) -> dict[str, Any]:
  """Compares every contestant with PyTorch at the same game and batch size.

  Args:
    rows: of all contestants, the eager textbook loop of every game among them.

  Returns:
    By game and batch size, `best_pytorch`, the name of the fastest, and by
    contestant `to_best_pytorch` and `to_pytorch_eager`: medians over the rounds
    of the ratio of its steps per second, of all seeds together, to theirs.
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
    compared.setdefault(game, {})[str(batch_size)] = {
      "best_pytorch": best.name,
      "contestants": {
        name: {
          "to_best_pytorch": ratio(row.rounds, best.rounds),
          "to_pytorch_eager": ratio(row.rounds, own[EAGER].rounds),
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
      console.print(_table(title, rows, compared["contestants"]))
  for missing in report["missing"]:
    console.print(
      f"{missing['name']} is missing from {missing['game']} at batch "
      f"{missing['batch_size']}: {missing['reason']}",
      highlight=False,
      markup=False,
    )
  console.print(_floor_table(report["floor"]))


def _table(
  title: str, rows: Sequence[dict], compared: dict[str, dict[str, float]]
) -> Table:
  """Makes the table of one game and batch size."""
  table = Table(title=title)
  for heading in ("contestant", "update"):
    table.add_column(heading, no_wrap=True)
  for heading in (
    "seeds",
    "threads",
    "steps/s, all seeds",
    "to best PyTorch",
    "to eager PyTorch",
    "first step, s",
    "peak MiB",
  ):
    table.add_column(heading, justify="right")
  for row in rows:
    table.add_row(
      row["name"],
      row["update"],
      str(row["num_seeds"]),
      str(row["threads"]),
      f"{row['steps_per_second']:,.0f}",
      f"{compared[row['name']]['to_best_pytorch']:.2f}",
      f"{compared[row['name']]['to_pytorch_eager']:.2f}",
      f"{row['first_step_seconds']:.2f}",
      f"{row['peak_memory_mib']:,.0f}",
    )
  return table


def _floor_table(floor: dict[str, Any]) -> Table:
  """Makes the table of what the matrix products alone allow."""
  width = floor["peak_width"]
  table = Table(
    title="simultaneous steps/s that the matrix products alone allow, and the "
    "part reached"
  )
  table.add_column("batch", justify="right")
  table.add_column("MFLOP a step", justify="right")
  table.add_column("products of", no_wrap=True)
  table.add_column("GFLOP/s", justify="right")
  table.add_column("steps/s", justify="right")
  table.add_column("reached by")
  for batch_size, bound in floor["batches"].items():
    for shapes, rate, key in (
      (f"{width} x {width}", floor["peak_gflops"], "of_peak"),
      ("the step's shapes", bound["step_gflops"], "of_step_shapes"),
    ):
      table.add_row(
        batch_size,
        f"{bound['flops_per_step'] / 1e6:.1f}",
        shapes,
        f"{rate:,.0f}",
        f"{rate * 1e9 / bound['flops_per_step']:,.0f}",
        ", ".join(
          f"{name} {reached[key]:.0%}"
          for name, reached in bound["reached"].items()
        ),
      )
  return table
