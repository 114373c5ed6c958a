"""Defines the entries of a suite's report and prints it as tables."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.timing import median_ratio

PYTORCH = "pytorch"
"""Prefix of the names of PyTorch's implementations."""
MIN_WIDTH = 145
"""Smallest width of the tables in characters. In a narrower terminal lines wrap
and no number is cut."""
FAST = 100
"""From this many steps per second on, decimals are not shown."""


class Row(NamedTuple):
  """The measurements of one implementation at one batch size.

  Attributes:
    game: name of the game.
    name: name of the implementation.
    update: "alternating" or "simultaneous".
    batch_size: number of real samples, and of latents, in an update of a
      player.
    num_seeds: seeds that train together.
    variant: the fastest variant; the other fields describe this one.
    steps_per_second: median over the rounds, summed over the seeds.
    rounds: steps per second in each round, summed over the seeds.
    by_variant: the median for each variant.
    first_step_seconds: time to set up the training and take the first step,
      without importing the framework, in a new process with no compiled
      program in its cache. This and the next two are None if not measured.
    restart_seconds: the same in a second process, which finds the compiled
      programs of the first.
    peak_memory_mib: peak resident memory of the first process on the host.
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
  """An implementation that cannot run here, and the reason."""

  game: str
  name: str
  batch_size: int
  reason: str


class Bound(NamedTuple):
  """The speed that the matrix products of a step allow.

  Attributes:
    game: name of the game.
    batch_size: number of real samples in an update of a player.
    flops_per_step: additions and multiplications in a step.
    products: description of the matrices whose products were timed.
    gflops: the measured rate, in 1e9 operations per second.
    steps_per_second: the speed at that rate.
    reached: for each implementation, the fraction of that speed it reached.
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
    rows: the implementations whose step has `flops_per_step` operations.
    flops_per_step: additions and multiplications in a step.
    products: description of the matrices that `rate` was measured with.
    rate: operations per second.
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
  """Computes speed ratios between implementations of each game and batch size.

  A ratio is the median over the rounds of one implementation's steps per second
  divided by those of another, each summed over its seeds.

  Args:
    rows: all implementations. Every game has at least one of PyTorch.
    reference: name of an implementation, which some games may lack.

  Returns:
    {game: {batch size: {"best_pytorch": name of the fastest of PyTorch,
    "contestants": {name: {"to_best_pytorch": ratio, "to_{reference}": ratio}}}
    }}. Games without the reference have no ratio to it.
  """
  compared = {}
  for game, batch_size in dict.fromkeys((r.game, r.batch_size) for r in rows):
    by_name = {
      row.name: row
      for row in rows
      if (row.game, row.batch_size) == (game, batch_size)
    }
    best = max(
      (row for name, row in by_name.items() if name.startswith(PYTORCH)),
      key=lambda row: row.steps_per_second,
    )
    others = {"to_best_pytorch": best}
    if reference in by_name:
      others[f"to_{reference}"] = by_name[reference]
    compared.setdefault(game, {})[str(batch_size)] = {
      "best_pytorch": best.name,
      "contestants": {
        name: {
          key: median_ratio(row.rounds, other.rounds)
          for key, other in others.items()
        }
        for name, row in by_name.items()
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


def _format_rate(steps_per_second: float) -> str:
  if steps_per_second >= FAST:
    return f"{steps_per_second:,.0f}"
  return f"{steps_per_second:.3g}"


def _format_optional(number: float | None, spec: str = ".2f") -> str:
  return "-" if number is None else format(number, spec)


def _table(
  title: str,
  rows: Sequence[dict],
  compared: dict[str, dict[str, float]],
  reference: str,
) -> Table:
  """Makes the table of one game and batch size."""
  table = Table(title=title)
  for heading in ("implementation", "update"):
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
      f"{variant} {_format_rate(rate)}"
      for variant, rate in row["by_variant"].items()
    ]
    row_ratios = compared[row["name"]]
    table.add_row(
      row["name"],
      row["update"],
      str(row["num_seeds"]),
      "\n".join(variants) if len(variants) > 1 else "",
      _format_rate(row["steps_per_second"]),
      f"{row_ratios['to_best_pytorch']:.2f}",
      _format_optional(row_ratios.get(f"to_{reference}")),
      _format_optional(row["first_step_seconds"]),
      _format_optional(row["restart_seconds"]),
      _format_optional(row["peak_memory_mib"], ",.0f"),
    )
  return table


def _bounds_table(bounds: Sequence[dict[str, Any]]) -> Table:
  """Makes the table of the speeds that the matrix products allow."""
  table = Table(
    title="simultaneous steps/s that the matrix products allow, and the "
    "fraction reached"
  )
  table.add_column("game", no_wrap=True)
  table.add_column("batch", justify="right")
  table.add_column("MFLOP per step", justify="right")
  table.add_column("matrices", no_wrap=True)
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
      _format_rate(entry["steps_per_second"]),
      ", ".join(
        f"{name} {fraction:.0%}" for name, fraction in entry["reached"].items()
      ),
    )
  return table
