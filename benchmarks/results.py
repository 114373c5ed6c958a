"""Reruns the numbers of README and docs: `make results`.

Each measurement is kept in a JSON file beside this one, with the commit, the
machine, the versions, the seeds and the time. The tables in README and docs
are written from these files, between two comments that name the table.
"""

import dataclasses
import datetime
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import result_tables
from experiments.cli import console, flags
from experiments.configs.fields import setting, unknown
from experiments.errors import UsageError
from experiments.run_folder import results

USAGE = """\
python -m benchmarks.results [--only=NAME[,NAME...]] [--data_dir=FOLDER]

Reruns what README and docs show, keeps the measurements in benchmarks/results
and rewrites the tables. --tables only rewrites the tables. Without --only
everything is rerun, which takes hours: see the times in the files."""

ROOT = Path(__file__).parents[1]
KEPT = Path(__file__).parent / "results"
"""Folder of the measurements."""
PAGES = ("README.md", "benchmarks/README.md", "docs/*.md")
"""The files that may have tables."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResultsOptions:
  """The flags of this command."""

  only: str = setting("", "what to rerun, separated by commas")
  tables: bool = setting(False, "rewrite the tables from the kept files only")
  data_dir: str = setting(
    "", "folder with mnist, fashion_mnist and cifar10_jpeg.zip"
  )


def run(argv: list[str]) -> int:
  """Runs the command and returns its exit code."""
  options = flags.read_command_line(argv, ResultsOptions, (), USAGE).options
  names = [name for name in options.only.split(",") if name] or list(
    result_tables.NAMES
  )
  for name in names:
    if name not in result_tables.NAMES:
      raise UsageError(unknown("result", name, result_tables.NAMES))
  for name in () if options.tables else names:
    started = time.perf_counter()
    console.say(f"measuring {name}")
    if name in result_tables.TABLES:
      measured = _measure_runs(result_tables.TABLES[name], options.data_dir)
    elif name == result_tables.FIGURES:
      measured = _measure_figures()
    else:
      measured = _measure_speed(name.removeprefix("speed_"))
    KEPT.mkdir(exist_ok=True)
    results.write_json(
      KEPT / f"{name}.json",
      {
        "date": datetime.date.today().isoformat(),
        "seconds": round(time.perf_counter() - started),
        **measured,
      },
    )
  for path in pages():
    text = path.read_text()
    filled = fill(text)
    if filled != text:
      path.write_text(filled)
      console.say(f"rewrote {path.relative_to(ROOT)}")
  return 0


def _command(module: str, *arguments: str) -> int:
  """Runs a command of this project, and returns its exit code."""
  return subprocess.run(
    [sys.executable, "-m", module, *arguments], cwd=ROOT
  ).returncode


def _measure_runs(table: result_tables.Table, data_dir: str) -> dict[str, Any]:
  """Trains the runs of a table, and returns what they measured."""
  rows, settings = [], {}
  for row in table.rows:
    with tempfile.TemporaryDirectory() as folder:
      workdir = Path(folder) / "run"
      arguments = [*row.flags, f"--num_seeds={table.num_seeds}"]
      data = [f"--data_dir={Path(data_dir) / row.data}"] if row.data else []
      if _command("experiments.run", *arguments, *data, f"--workdir={workdir}"):
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


def _measure_figures() -> dict[str, Any]:
  """Draws all quick figures, and returns how their checks went."""
  with tempfile.TemporaryDirectory() as folder:
    _command("experiments.figures", "--figure=all", f"--out={folder}")
    records = [
      json.loads(path.read_text())
      for path in sorted(Path(folder).glob("*.json"))
    ]
  if not records:
    raise UsageError("no figure was drawn")
  return {
    **{
      name: records[0][name]
      for name in ("seed", "versions", "device", "git_commit")
    },
    "figures": {
      record["id"]: {
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
    if _command("benchmarks.run", f"--suite={suite}", f"--out={out}"):
      raise UsageError(f"the suite {suite} failed")
    return results.read_json(out)


def pages() -> list[Path]:
  """Lists the files that may have tables."""
  return [path for pattern in PAGES for path in sorted(ROOT.glob(pattern))]


def fill(text: str) -> str:
  """Replaces every table of a page by the one of its kept file.

  A table stands between `<!-- results: NAME -->` and `<!-- end -->`. One whose
  measurements are not kept stays as it is.
  """
  parts = text.split("<!-- results: ")
  for index, part in enumerate(parts[1:], start=1):
    name, _, rest = part.partition(" -->")
    _, end, after = rest.partition("<!-- end -->")
    if not end or name not in result_tables.NAMES:
      raise UsageError(f"a page has an unknown or open table, {name!r}")
    path = KEPT / f"{name}.json"
    if path.exists():
      kept = results.read_json(path)
      parts[index] = (
        f"{name} -->\n{result_tables.write_table(name, kept)}\n{end}{after}"
      )
  return "<!-- results: ".join(parts)


if __name__ == "__main__":
  flags.main(run)
