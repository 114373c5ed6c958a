"""Experiments, the commands that train them, and what those leave behind."""

import sys

from experiments import interruption

# So Python names a module that it is about to find and run: a command, whose
# imports come next.
if sys.argv[:1] == ["-m"]:
  interruption.end_at_once()
