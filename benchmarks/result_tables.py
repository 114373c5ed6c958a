"""The tables of README and docs: their runs, and how they are written."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from experiments.cli import console


class Row(NamedTuple):
  """A run, and its row of a table.

  Attributes:
    label: the first cell.
    claim: the second cell, what the source says; "" if the table has none.
    measured: the other cells. Names in braces are replaced by the mean and
      interval of a metric at the last step; `early_NAME` is its first measured
      value after step 0, and `protocol_NAME` an entry of the protocol.
    flags: of `experiments.run`.
    data: the dataset's file or folder in --data_dir; "" if it needs none.
  """

  label: str
  claim: str
  measured: tuple[str, ...]
  flags: tuple[str, ...]
  data: str = ""


class Table(NamedTuple):
  """A table of runs.

  Attributes:
    name: the name of the kept file, and of the table in README and docs.
    headers: of its columns.
    rows: the runs.
    num_seeds: seeds of each run, from 0.
  """

  name: str
  headers: tuple[str, ...]
  rows: tuple[Row, ...]
  num_seeds: int


_NORMAL = ("mean {generated_mean}, std {generated_stddev}",)
_SPLIT = ("mean {generated_mean}, JSD {jensen_shannon}",)
_MODES = (
  "{modes_covered} modes, high quality {high_quality_fraction}, reverse KL "
  "{reverse_kl}",
)
LINE = Table(
  "line",
  ("run", "what the source says", "measured"),
  (
    Row(
      "`normal`, data N(15, 7²)",
      "mean 15, std 7, D = 1/2",
      (_NORMAL[0] + ", D(fake) {discriminator_fake}",),
      ("--experiment=normal",),
    ),
    Row(
      "`normal --discriminator_l2=5e-4`",
      "the same",
      _NORMAL,
      ("--experiment=normal", "--discriminator_l2=5e-4"),
    ),
    Row(
      "`normal --discriminator_dropout=0.5`",
      "the same",
      _NORMAL,
      ("--experiment=normal", "--discriminator_dropout=0.5"),
    ),
    Row(
      "`normal` with both",
      "the same",
      _NORMAL,
      (
        "--experiment=normal",
        "--discriminator_l2=5e-4",
        "--discriminator_dropout=0.5",
      ),
    ),
    Row(
      "`mixture_near`",
      "one wide normal; the JS optimum is N(0, 3.120²) with JSD 0.1284",
      ("std {generated_stddev}, JSD {jensen_shannon}",),
      ("--experiment=mixture_near",),
    ),
    Row(
      "`mixture_far`",
      "collapse onto the mode at -3, JSD 0.2158",
      _SPLIT,
      ("--experiment=mixture_far",),
    ),
    Row(
      "`mixture_near_mlp`",
      "both modes: mean 0",
      _SPLIT,
      ("--experiment=mixture_near_mlp",),
    ),
    Row(
      "`mixture_far_mlp`",
      "both modes: mean 2",
      _SPLIT,
      ("--experiment=mixture_far_mlp",),
    ),
  ),
  8,
)
PLANE = Table(
  "plane",
  ("run", "what the source says", "measured"),
  (
    Row("`ring`", "8 modes", _MODES, ("--experiment=ring",)),
    Row(
      "`grid`",
      "plain training drops some of 25 modes",
      _MODES,
      ("--experiment=grid",),
    ),
    Row(
      "`swiss_roll`",
      "the whole roll, 100 stations",
      ("{modes_covered} stations, high quality {high_quality_fraction}",),
      ("--experiment=swiss_roll",),
    ),
  ),
  8,
)
_IMAGES = (
  "{steps}",
  "{protocol_features_accuracy}",
  "{early_frechet_distance}",
  "{frechet_distance}",
  "{precision}",
  "{recall}",
  "{classes_covered}",
)
IMAGES = Table(
  "images",
  (
    "run",
    "steps",
    "accuracy of the classifier",
    "Fréchet distance early",
    "at the end",
    "precision",
    "recall",
    "classes covered",
  ),
  (
    Row(
      "`dcgan_mnist`",
      "",
      _IMAGES,
      ("--experiment=dcgan_mnist",),
      "mnist",
    ),
    Row(
      "`dcgan_fashion_mnist`",
      "",
      _IMAGES,
      ("--experiment=dcgan_fashion_mnist",),
      "fashion_mnist",
    ),
    Row(
      "`dcgan_cifar10`, of JPEGs",
      "",
      _IMAGES,
      ("--experiment=dcgan_cifar10", "--dataset=folder", "--steps=4000"),
      "cifar10_jpeg.zip",
    ),
    Row(
      "`dcgan_faces`",
      "",
      _IMAGES,
      ("--experiment=dcgan_faces",),
    ),
  ),
  1,
)
TABLES = {table.name: table for table in (LINE, PLANE, IMAGES)}
FIGURES = "figures"
SUITES = ("toy", "dcgan")
"""Suites of `benchmarks.run`, kept as speed_NAME."""
NAMES = (*TABLES, FIGURES, *(f"speed_{suite}" for suite in SUITES))


def write_table(name: str, kept: Mapping[str, Any]) -> str:
  """Writes what is shown of a kept file, as Markdown."""
  if name in TABLES:
    return _write_runs(TABLES[name], kept)
  if name == FIGURES:
    return _write_figures(kept)
  return _write_speed(kept)


def _origin(kept: Mapping[str, Any]) -> str:
  """Says where and when a measurement was made."""
  machine = kept.get("machine", kept)
  versions = machine["versions"]
  commit = (machine.get("git_commit") or "unknown")[:7]
  return (
    f"Measured on {kept['date']} on {machine['device']}, Python "
    f"{versions['python']}, jax {versions['jax']}, commit {commit}, in "
    f"{kept['seconds'] / 60:,.0f} minutes."
  )


def _write_runs(table: Table, kept: Mapping[str, Any]) -> str:
  """Writes a table of runs."""
  lines = []
  for row, measured in zip(table.rows, kept["rows"], strict=True):
    values = {
      name: console.number(entry) for name, entry in measured["metrics"].items()
    }
    for prefix in ("early", "protocol"):
      values |= {
        f"{prefix}_{name}": f"{value:.3g}"
        for name, value in measured[prefix].items()
        if isinstance(value, float)
      }
    values["steps"] = f"{measured['steps']:,}"
    cells = (row.label, *([row.claim] if row.claim else []), *row.measured)
    lines.append([cell.format(**values) for cell in cells])
  seeds = kept["seeds"]
  shown = f"Seed {seeds[0]}"
  if len(seeds) > 1:
    shown = f"Seeds {seeds[0]} to {seeds[-1]}, mean ± 95 % interval over seeds"
  return (
    f"{shown}, default settings, at the last step. {_origin(kept)}\n\n"
    f"{_markdown(table.headers, lines)}"
  )


def _write_figures(kept: Mapping[str, Any]) -> str:
  """Writes how many checks of the figures passed."""
  figures = kept["figures"]
  checks = sum(entry["checks"] for entry in figures.values())
  failed = [
    f"`{name}`: {check}"
    for name, entry in figures.items()
    for check in entry["failed"]
  ]
  ending = f"These failed: {'; '.join(failed)}." if failed else "All passed."
  return (
    f"`--figure=all` draws {len(figures)} figures with {checks} checks. "
    f"{ending} {_origin(kept)}"
  )


def _write_speed(kept: Mapping[str, Any]) -> str:
  """Writes the tables of a benchmark suite."""
  tables = [_origin(kept)]
  for game, batches in kept["ratios"].items():
    for batch_size, compared in batches.items():
      lines = []
      for row in kept["rows"]:
        if (row["game"], str(row["batch_size"])) != (game, batch_size):
          continue
        ratios = compared["contestants"][row["name"]]
        numbers = (
          row["steps_per_second"],
          ratios["to_best_pytorch"],
          ratios.get(f"to_{kept['reference']}"),
          row["first_step_seconds"],
          row["restart_seconds"],
          row["peak_memory_mib"],
        )
        lines.append(
          [
            row["name"],
            row["update"],
            str(row["num_seeds"]),
            *("-" if each is None else _digits(each) for each in numbers),
          ]
        )
      headers = (
        "implementation",
        "update",
        "seeds",
        "steps/s",
        "to best PyTorch",
        f"to {kept['reference'].replace('_', ' ')}",
        "first step, s",
        "restart, s",
        "peak MiB",
      )
      tables.append(f"`{game}`, batch {batch_size}:")
      tables.append(_markdown(headers, lines))
  return "\n\n".join(tables)


def _digits(number: float) -> str:
  """Writes a number with three digits, or all before the point."""
  return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _markdown(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
  """Writes a Markdown table."""
  lines = [headers, ["---"] * len(headers), *rows]
  return "\n".join(f"| {' | '.join(line)} |" for line in lines)
