"""Writes a page about runs: `python -m experiments.report DIR [DIR ...]`."""

import dataclasses
from pathlib import Path

from experiments.cli import flags
from experiments.configs.fields import setting
from experiments.errors import UsageError
from experiments.reports import run_report
from experiments.run_folder import results

USAGE = """\
python -m experiments.report DIR [DIR ...] [--out=FILE.html]

Writes one self-contained HTML page: the settings, score, figures and events of
one run, finished or not; or the differences and results of several runs."""

COMPARISON = "comparison.html"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportOptions:
  """The flags of this command."""

  out: str = setting(
    "",
    "file to write; by default a page in the run folder, which is replaced, or "
    f"{COMPARISON} for several runs",
    is_path=True,
    heading="Output",
  )
  overwrite: bool = setting(False, "replace an existing page")


def run(argv: list[str]) -> int:
  """Runs the command and returns its exit code."""
  line = flags.read_command_line(
    argv, ReportOptions, (), USAGE, takes_arguments=True
  )
  options = line.options
  if not line.arguments:
    raise UsageError("name a run folder, or several to compare")
  workdirs = [Path(folder) for folder in line.arguments]
  if len({workdir.resolve() for workdir in workdirs}) < len(workdirs):
    raise UsageError("a run folder is named twice")
  out = Path(options.out or COMPARISON)
  if len(workdirs) == 1 and not options.out:
    out = workdirs[0] / results.REPORT
  elif out.suffix.lower() not in (".html", ".htm"):
    raise UsageError(f"--out={out} must end in .html: the report is a page")
  elif out.exists() and not options.overwrite:
    raise UsageError(f"{out} exists; pass --overwrite or another --out")
  elif not out.parent.is_dir():
    raise UsageError(f"--out={out}: there is no folder {out.parent}")
  difference = run_report.write(workdirs, out)
  if difference:
    print(f"* not comparable: {difference}")
  print(f"written to {out}")
  return 0


if __name__ == "__main__":
  flags.main(run)
