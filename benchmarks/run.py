"""Times this library and PyTorch in turns: `python -m benchmarks.run`."""

import dataclasses
import importlib
import importlib.util
import os
from pathlib import Path

from experiments.cli import flags
from experiments.configs.fields import setting
from experiments.configs.hints import unknown
from experiments.errors import UsageError
from experiments.run_folder import results

USAGE = """\
python -m benchmarks.run --suite=NAME [--out=FILE.json]

Times this library, PyTorch and textbook Flax in turns in one process and prints
a table. Install its dependencies first: pip install -e '.[bench]'."""

SUITES = {
  "toy": "benchmarks.toy",
  "dcgan": "benchmarks.dcgan",
  "sweep": "benchmarks.sweep",
  "scaling": "benchmarks.scaling",
  "checkpoints": "benchmarks.checkpoints",
}
"""For each suite, the module whose `measure` makes the report and whose
`print_report` prints it. It is imported when it runs, because it imports
PyTorch."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class BenchmarkOptions:
  """The flags of this command."""

  suite: str = setting(
    "toy",
    "benchmark suite to time",
    heading="Benchmark",
  )
  out: str = setting(
    "", "JSON file to write the report to as well", is_path=True
  )
  overwrite: bool = setting(False, "replace an existing file")
  quick: bool = setting(
    False, "take only a few steps to test the suite; do not trust its timing"
  )


def run(argv: list[str]) -> int:
  """Runs the command and returns its exit code."""
  options = flags.read_command_line(argv, BenchmarkOptions, (), USAGE).options
  if options.suite not in SUITES:
    raise UsageError(unknown("suite", options.suite, SUITES))
  out = Path(options.out) if options.out else None
  if out is not None:
    _check_writable(out, options.overwrite)
  if importlib.util.find_spec("torch") is None:
    raise UsageError(
      "PyTorch is not installed and the benchmarks need it: "
      "pip install -e '.[bench]'"
    )
  suite = importlib.import_module(SUITES[options.suite])
  report = {"suite": options.suite, **suite.measure(options.quick)}
  suite.print_report(report)
  if out is not None:
    results.write_json(out, report)
    print(f"written to {out}")
  return 0


def _check_writable(out: Path, overwrite: bool) -> None:
  """Checks before a long measurement that the report can be written."""
  if not os.access(out.parent, os.W_OK):
    raise UsageError(
      f"--out={out} cannot be written: {out.parent} is not a writable folder"
    )
  if out.is_dir():
    raise UsageError(f"--out={out} is a folder, not a file")
  if out.exists() and not overwrite:
    raise UsageError(f"--out={out} exists; --overwrite replaces it")


if __name__ == "__main__":
  flags.main(run)
