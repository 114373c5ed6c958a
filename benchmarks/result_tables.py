"""The tables of README and docs: their runs, and how they are written."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from benchmarks import speed_tables
from experiments.run_folder import intervals, metric_table


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

  @property
  def name(self) -> str:
    """The name of the run's folder, such as normal-discriminator_l2=5e-4."""
    flags = (flag.removeprefix("--experiment=") for flag in self.flags)
    return "-".join(flag.removeprefix("--") for flag in flags)


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
  "{modes_covered} modes, {modes_balanced} of them balanced, high quality "
  "{high_quality_fraction}, reverse KL {reverse_kl}",
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
  "{minutes}",
  "{protocol_features_accuracy}",
  "{early_frechet_distance} at step {early_step}",
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
    "minutes",
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
PICTURES = "pictures"
SUITES = {f"speed_{suite}": suite for suite in speed_tables.WRITERS}
"""The suite of `benchmarks.run` of each kept report."""
MEASURED = (*TABLES, FIGURES, *SUITES, PICTURES)
"""Everything that is measured and kept. Some pictures show kept speeds, so the
pictures come last."""
COMPARISON = ("speed_toy", "speed_dcgan", "speed_sweep")
"""The reports that the table `speed` is made from."""
SOURCES = {**{name: (name,) for name in MEASURED}, "speed": COMPARISON}
"""The kept files that each table of a page is written from."""


def write_table(name: str, *kept: Mapping[str, Any]) -> str:
  """Writes a table of a page from its kept files, as Markdown."""
  if name in TABLES:
    return _write_runs(TABLES[name], *kept)
  if name == FIGURES:
    return _write_figures(*kept)
  if name == PICTURES:
    return _write_pictures(*kept)
  if name in SUITES:
    table = speed_tables.WRITERS[SUITES[name]](*kept)
    return f"{_origin(*kept)}\n\n{table}"
  suites = ", ".join(
    f"`{each['suite']}` on {each['date']} at commit {_commit(each)}"
    for each in kept
  )
  return (
    f"Batch size 64, on {kept[0]['machine']['device']}, {_versions(kept[0])}. "
    f"Suites: {suites}.\n\n"
    f"{speed_tables.write_comparison(*kept)}"
  )


def _versions(kept: Mapping[str, Any]) -> str:
  """Lists the versions that matter."""
  return ", ".join(
    f"{title} {kept['versions'][name]}"
    for name, title in (
      ("python", "Python"),
      ("jax", "jax"),
      ("torch", "PyTorch"),
    )
    if name in kept["versions"]
  )


def _commit(kept: Mapping[str, Any]) -> str:
  """Returns the short name of the commit."""
  return (kept.get("machine", kept).get("git_commit") or "unknown")[:7]


def _origin(kept: Mapping[str, Any]) -> str:
  """Says where and when a measurement was made."""
  machine = kept.get("machine", kept)
  load = ""
  if "load_average" in machine:
    load = f", with a load average of {machine['load_average'][0]:.2f} before"
  return (
    f"Measured on {kept['date']} on {machine['device']}, {_versions(kept)}, "
    f"commit {_commit(kept)}, in {kept['seconds'] / 60:,.0f} minutes{load}."
  )


def _write_runs(table: Table, kept: Mapping[str, Any]) -> str:
  """Writes a table of runs."""
  lines = []
  for row, measured in zip(table.rows, kept["rows"], strict=True):
    values = {
      name: intervals.text(entry, name)
      for name, entry in _scored(measured["metrics"]).items()
    }
    for prefix in ("early", "protocol"):
      values |= {
        f"{prefix}_{name}": f"{value:.3g}"
        if isinstance(value, float)
        else str(value)
        for name, value in _scored(measured[prefix]).items()
      }
    values["steps"] = f"{measured['steps']:,}"
    values["minutes"] = f"{measured['seconds'] / 60:.0f}"
    cells = (row.label, *([row.claim] if row.claim else []), *row.measured)
    lines.append([cell.format(**values) for cell in cells])
  seeds = kept["seeds"]
  shown = f"Seed {seeds[0]}"
  if len(seeds) > 1:
    shown = f"Seeds {seeds[0]} to {seeds[-1]}, mean ± 95 % interval over seeds"
  return (
    f"{shown}, default settings, at the last step. {_origin(kept)}\n\n"
    f"{speed_tables.markdown(table.headers, lines)}"
  )


def _scored(values: Mapping[str, Any]) -> dict[str, Any]:
  """Puts metrics of a generator's average in place of its own."""
  prefix = metric_table.AVERAGE
  averages = {
    name.removeprefix(prefix): value
    for name, value in values.items()
    if name.startswith(prefix)
  }
  return {**values, **averages}


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


def _write_pictures(kept: Mapping[str, Any]) -> str:
  """Writes how many pictures there are.

  How long they took says nothing, as many of their runs were there before.
  """
  size = sum(entry["bytes"] for entry in kept["pictures"].values())
  return (
    f"`docs/pictures.py` makes {len(kept['pictures'])} pictures of "
    f"{size / 1e3:,.0f} kB together. The last were made on {kept['date']} on "
    f"{kept['device']}, {_versions(kept)}, commit {_commit(kept)}."
  )
