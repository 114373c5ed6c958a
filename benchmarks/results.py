"""Reruns the numbers and pictures of README and docs: `make results`.

Each measurement is kept in a JSON file beside this one, with the commit, the
machine, the versions, the seeds and the time. The tables in README and docs
are written from these files, between two comments that name the table.
"""

import dataclasses
import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from benchmarks import result_tables
from experiments.cli import console, flags
from experiments.configs.fields import setting
from experiments.configs.hints import unknown
from experiments.errors import UsageError
from experiments.reproduce.registry import REPRODUCTIONS
from experiments.run_folder import results

USAGE = """\
python -m benchmarks.results [--only=NAME[,NAME...]] [--data_dir=FOLDER]

Reruns what README and docs show, keeps the measurements in benchmarks/results
and rewrites the tables. --tables only rewrites the tables. Without --only
everything is rerun, which takes hours: see the times in the files. If one
measurement fails, the others go on and its kept file stays; the exit code is
then 1."""

ROOT = Path(__file__).parents[1]
KEPT = Path(__file__).parent / "results"
"""Folder of the measurements."""
PAGES = ("README.md", "benchmarks/README.md", "docs/*.md")
"""The files that may have tables."""
FAILED_EXIT_CODE = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResultsOptions:
  """The flags of this command."""

  only: str = setting("", "what to rerun, separated by commas")
  tables: bool = setting(False, "rewrite the tables from the kept files only")
  data_dir: str = setting(
    "", "folder with mnist, fashion_mnist and cifar10_jpeg.zip"
  )
  runs: str = setting(
    "",
    "folder of run folders: finished runs are reused, and new ones go there; "
    "by default a temporary folder",
  )


def run(argv: list[str]) -> int:
  """Runs the command and returns its exit code."""
  options = flags.read_command_line(argv, ResultsOptions, (), USAGE).options
  known = result_tables.MEASURED
  names = [name for name in options.only.split(",") if name] or list(known)
  for name in names:
    if name not in known:
      raise UsageError(unknown("result", name, known))
  if options.tables:
    _rewrite_pages()
    return 0
  data = Path(options.data_dir).resolve()
  _check_data(names, data)
  failed = False
  with tempfile.TemporaryDirectory() as temporary:
    runs = Path(options.runs or temporary).resolve()
    for name in names:
      console.say(f"measuring {name}")
      try:
        _measure(name, data, runs)
        _rewrite_pages()
      # Hours of other measurements may follow.
      except Exception as error:
        failed = True
        console.say(f"{name} failed and stays as it was: {error!r}")
  _rewrite_pages()
  return FAILED_EXIT_CODE if failed else 0


def _check_data(names: Collection[str], data: Path) -> None:
  """Checks before hours of work that the datasets are there."""
  needs = {result_tables.IMAGES.name, result_tables.PICTURES}.intersection(
    names
  )
  files = [row.data for row in result_tables.IMAGES.rows if row.data]
  missing = [each for each in files if not (data / each).exists()]
  if needs and missing:
    raise UsageError(
      f"{' and '.join(sorted(needs))} need --data_dir, a folder with "
      f"{', '.join(files)}; {data} lacks {', '.join(missing)}"
    )


def _measure(name: str, data: Path, runs: Path) -> None:
  """Measures one thing, and keeps the result."""
  started = time.perf_counter()
  if name == result_tables.PICTURES:
    # The script keeps its record itself, because it can also be called alone.
    if _command("docs/pictures.py", f"--runs={runs}", f"--data={data}"):
      raise UsageError("some pictures were not made")
    return
  if name in result_tables.TABLES:
    measured = _measure_runs(result_tables.TABLES[name], data, runs)
  elif name == result_tables.FIGURES:
    measured = _measure_figures(runs)
  else:
    measured = _measure_speed(result_tables.SUITES[name])
  KEPT.mkdir(exist_ok=True)
  results.write_json(
    KEPT / f"{name}.json",
    {
      "date": datetime.date.today().isoformat(),
      "seconds": round(time.perf_counter() - started),
      **measured,
    },
  )


def _command(*arguments: str) -> int:
  """Runs Python in the root of this project, and returns its exit code."""
  return subprocess.run(
    [sys.executable, *arguments],
    cwd=ROOT,
    env={**os.environ, "PYTHONPATH": str(ROOT)},
  ).returncode


def _measure_runs(
  table: result_tables.Table, data: Path, runs: Path
) -> dict[str, Any]:
  """Trains the runs of a table, and returns what they measured."""
  rows, settings = [], {}
  for row in table.rows:
    workdir = runs / row.name
    arguments = [*row.flags, f"--num_seeds={table.num_seeds}"]
    places = [f"--workdir={workdir}", "--resume"]
    if row.data:
      places.append(f"--data_dir={data / row.data}")
    if _command("-m", "experiments.run", *arguments, *places):
      raise UsageError(f"this run failed: {' '.join(arguments)}")
    settings = results.read_json(workdir / results.SETTINGS)
    summary = results.read_json(workdir / results.SUMMARY)
    rows.append(
      {
        "flags": arguments,
        "steps": summary["steps"],
        "seconds": round(summary["wall_seconds"]),
        "protocol": summary.get("protocol", {}),
        "early": _early(workdir),
        "metrics": {
          name: entry["final"]
          for name, entry in {
            "score": summary["score"],
            **summary["metrics"],
          }.items()
        },
      }
    )
  machine = ("seeds", "versions", "device", "git_commit")
  return {**{name: settings[name] for name in machine}, "rows": rows}


def _early(workdir: Path) -> dict[str, float]:
  """Returns the metrics of the first seed when all were first measured."""
  run = results.read_results(workdir)
  names = [name for name, values in run.metrics.items() if values.shape[1] > 1]
  for index in range(1, len(run.steps)):
    values = {name: float(run.metrics[name][0, index]) for name in names}
    if all(value == value for value in values.values()):
      return {"step": int(run.steps[index]), **values}
  return {}


def _measure_figures(runs: Path) -> dict[str, Any]:
  """Draws all quick figures, and returns how their checks went."""
  with tempfile.TemporaryDirectory() as folder:
    _command(
      *("-m", "experiments.figures", "--figure=all"),
      *(f"--out={folder}", f"--runs={runs}"),
    )
    records = [
      json.loads(path.read_text())
      for path in sorted(Path(folder).glob("*.json"))
    ]
  missing = {each.id for each in REPRODUCTIONS if not each.long} - {
    record["id"] for record in records
  }
  if missing:
    raise UsageError(f"these were not drawn: {', '.join(sorted(missing))}")
  machine = ("seed", "versions", "device", "git_commit")
  return {
    **{name: records[0][name] for name in machine},
    "figures": {
      record["id"]: {
        "seconds": record["seconds"],
        "checks": len(record["checks"]),
        "failed": [
          check["name"]
          for check in record["checks"]
          if check["passed"] is False
        ],
      }
      for record in records
    },
  }


def _measure_speed(suite: str) -> dict[str, Any]:
  """Runs a suite of benchmarks, and returns its report."""
  with tempfile.TemporaryDirectory() as folder:
    out = Path(folder) / "report.json"
    if _command("-m", "benchmarks.run", f"--suite={suite}", f"--out={out}"):
      raise UsageError(f"the suite {suite} failed")
    return results.read_json(out)


def pages() -> list[Path]:
  """Lists the files that may have tables."""
  return [path for pattern in PAGES for path in sorted(ROOT.glob(pattern))]


def _rewrite_pages() -> None:
  """Writes the tables of all pages from the kept files."""
  for path in pages():
    text = path.read_text()
    filled = fill(text)
    if filled != text:
      path.write_text(filled)
      console.say(f"rewrote {path.relative_to(ROOT)}")


def fill(text: str) -> str:
  """Replaces every table of a page by the one of its kept files.

  A table stands between `<!-- results: NAME -->` and `<!-- end -->`. One whose
  measurements are not kept stays as it is.
  """
  parts = text.split("<!-- results: ")
  for index, part in enumerate(parts[1:], start=1):
    name, _, rest = part.partition(" -->")
    _, end, after = rest.partition("<!-- end -->")
    if not end or name not in result_tables.SOURCES:
      raise UsageError(f"a page has an unknown or open table, {name!r}")
    paths = [KEPT / f"{source}.json" for source in result_tables.SOURCES[name]]
    if all(path.exists() for path in paths):
      kept = [results.read_json(path) for path in paths]
      table = result_tables.write_table(name, *kept)
      parts[index] = f"{name} -->\n{table}\n{end}{after}"
  return "<!-- results: ".join(parts)


if __name__ == "__main__":
  flags.main(run)
