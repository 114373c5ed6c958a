"""What a sweep has come to: a table, a ranking, figures and a page."""

from pathlib import Path

from experiments.sweeps.plan import Plan


def conclude(plan: Plan, folder: Path) -> int:
  return 0
