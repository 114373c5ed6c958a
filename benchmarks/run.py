"""Times this library beside its peers: `python -m benchmarks.run`."""

import dataclasses
import importlib
import importlib.util
import os
from pathlib import Path

from experiments.cli import flags
from experiments.configs.fields import setting, unknown
from experiments.run_folder import results

USAGE = """\
python -m benchmarks.run --suite=NAME [--out=FILE.json]

Times this library, PyTorch and a tutorial's JAX side by side in one process and
prints a table. Needs the extra `bench`: pip install -e '.[bench]'."""

SUITES = {
  "toy": "benchmarks.toy",
  "dcgan": "benchmarks.dcgan",
  "sweep": "benchmarks.sweep",
}
"""By name, the module whose `measure` makes the report and whose `print_report`
prints it. It is imported when it runs, because it imports PyTorch."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class BenchmarkOptions:
  """The flags of this command."""

  suite: str = setting("toy", "benchmark suite to time")
  out: str = setting("", "JSON file to write the report to as well")
  overwrite: bool = setting(False, "replace an existing file")
  quick: bool = setting(
    False, "take only a few steps to test the suite; do not trust its timing"
  )


def run(argv: list[str]) -> int:
  """Runs the command and returns its exit code."""
  options = flags.read_command_line(argv, BenchmarkOptions, (), USAGE).options
  if options.suite not in SUITES:
    raise flags.UsageError(unknown("suite", options.suite, SUITES))
  out = Path(options.out) if options.out else None
  if out is not None:
    _check_writable(out, options.overwrite)
  if importlib.util.find_spec("torch") is None:
    raise flags.UsageError(
      "PyTorch, which this compares with, is not installed: "
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
  """Refuses a file that could not be written when all has been measured."""
  if not os.access(out.parent, os.W_OK):
    raise flags.UsageError(
      f"--out={out} cannot be written: {out.parent} is no folder that is there "
      "and can be written to"
    )
  if out.is_dir():
    raise flags.UsageError(f"--out={out} is a folder, not a file")
  if out.exists() and not overwrite:
    raise flags.UsageError(
      f"--out={out} is there already; --overwrite replaces it"
    )


if __name__ == "__main__":
  flags.main(run)
