"""Experiments, the commands that train them, and what those leave behind."""

import sys

from experiments.cli import signals

# So Python names a module that it is about to find and run: a command, whose
# imports come next.
if sys.argv[:1] == ["-m"]:
  signals.end_at_once()
