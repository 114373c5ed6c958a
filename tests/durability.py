"""Kills real runs at random moments, and resumes them: `make durability`.

A run that was killed with SIGKILL, once or twice, and resumed has to end with
the same parameters, metrics and arrays to draw, samples among them, as one that
was not, bit for bit.
"""

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import jax
import orbax.checkpoint as ocp

from experiments.run_folder import results
from experiments.training import checkpoints
from tests.experiments import commands, tiny_images, trained_runs

POLL_SECONDS = 0.002
TIMEOUT_SECONDS = 300

_IMAGES = {**tiny_images.SETTINGS, "steps": 40, "log_every": 8, "seed": 0}

GAMES: Mapping[str, Mapping[str, object]] = {
  "normal": {"steps": 400, "log_every": 20, "checkpoint_every": 15},
  "ring": {
    "steps": 400,
    "log_every": 20,
    "checkpoint_every": 15,
    "num_seeds": 3,
    "evaluation_samples": 200,
  },
  "dcgan_mnist": {**_IMAGES, "checkpoint_every": 3, "evaluate_every": 16},
}
"""By experiment, its flags: a 1-D game, a population and a DCGAN. Checkpoints
are so near to each other that one is being written most of the time."""


class Trial(NamedTuple):
  """The outcome of a run that was killed and resumed.

  Attributes:
    num_kills: how often it was killed.
    num_torn: kills that left an incomplete checkpoint.
    difference: how it differs from a run that was not killed; "" if not at all.
  """

  num_kills: int
  num_torn: int
  difference: str


class Game:
  """A game, how it is run, and how it ends if nothing happens."""

  def __init__(self, name: str, folder: Path):
    """Trains the run that others are compared with.

    Args:
      name: one of GAMES.
      folder: of runs, of images, and of what may be kept between runs.
    """
    self._folder = folder
    self._environment = {
      **commands.ENVIRONMENT,
      "XDG_CACHE_HOME": str(folder / "cache"),
    }
    self._flags = [f"--experiment={name}"]
    self._flags += [f"--{key}={value}" for key, value in GAMES[name].items()]
    if name.startswith("dcgan"):
      (folder / "images").mkdir()
      tiny_images.write(folder / "images")
      self._flags.append(f"--data_dir={folder / 'images'}")
    started = time.monotonic()
    self._finish(folder / "whole")
    self._seconds = time.monotonic() - started
    self._whole = self._content(folder / "whole")

  def _start(self, workdir: Path) -> subprocess.Popen:
    command = [sys.executable, "-m", "experiments.run", *self._flags]
    return subprocess.Popen(
      [*command, f"--workdir={workdir}", "--resume"],
      env=self._environment,
      cwd=self._folder,
      stdout=subprocess.DEVNULL,
      stderr=subprocess.PIPE,
    )

  def _finish(self, workdir: Path) -> None:
    """Runs to the end; raises RuntimeError if that is no success."""
    process = self._start(workdir)
    _, errors = process.communicate(timeout=TIMEOUT_SECONDS)
    if process.returncode:
      raise RuntimeError(errors.decode())

  def _content(self, workdir: Path) -> dict[str, object]:
    """Reads all that a run must end with."""
    summary = results.read_json(workdir / results.SUMMARY)
    for name in ("wall_seconds", "steps_per_second"):
      del summary[name]
    del summary["metrics_sha256"]  # Of rows that have their times.
    (newest, *_) = checkpoints.steps(workdir)
    progress = ocp.PyTreeCheckpointer().restore(
      (workdir / results.CHECKPOINTS / str(newest)).resolve()
    )
    arrays = results.read_snapshots(workdir)
    return {
      "metrics": trained_runs.measured_rows(workdir),
      "summary": summary,
      "parameters": (newest, *map(bytes, jax.tree.leaves(progress))),
      **{name: values.tobytes() for name, values in arrays.items()},
    }

  def _moment(
    self, workdir: Path, rng: random.Random
  ) -> Callable[[float], bool]:
    """Chooses when to kill: (seconds since the start) -> whether it is then."""
    folder = workdir / results.CHECKPOINTS
    rows = workdir / results.METRICS

    def size() -> int:
      return rows.stat().st_size if rows.exists() else 0

    before, whole = size(), len(str(self._whole["metrics"]))
    at_size = before + rng.random() * max(whole - before, 1)
    at_second = rng.random() * self._seconds
    num_whole = len(checkpoints.steps(workdir)) + rng.randrange(3)
    return rng.choice(
      [
        lambda seconds: seconds > at_second,
        lambda seconds: size() > at_size,
        # While a checkpoint is being written.
        lambda seconds: (
          len(checkpoints.steps(workdir)) >= num_whole
          and any(folder.glob("*orbax-checkpoint-tmp*"))
        ),
      ]
    )

  def _kill(self, workdir: Path, rng: random.Random) -> bool:
    """Starts or resumes a run and kills it; False if it ended before."""
    process = self._start(workdir)
    is_now = self._moment(workdir, rng)
    started = time.monotonic()
    while process.poll() is None and not is_now(time.monotonic() - started):
      time.sleep(POLL_SECONDS)
    process.send_signal(signal.SIGKILL)
    _, errors = process.communicate()
    if process.returncode == -signal.SIGKILL:
      return True
    if process.returncode:
      raise RuntimeError(errors.decode())
    return False

  def trial(self, seed: int) -> Trial:
    """Kills a run at moments that a seed chooses, and resumes it."""
    rng = random.Random(seed)
    workdir = self._folder / f"trial-{seed}"
    num_torn = num_kills = 0
    for _ in range(rng.choice([1, 1, 2])):
      if self._kill(workdir, rng):
        num_kills += 1
        folder = workdir / results.CHECKPOINTS
        num_torn += any(folder.glob("*orbax-checkpoint-tmp*"))
    self._finish(workdir)
    content = self._content(workdir)
    names = sorted({*content, *self._whole})
    return Trial(
      num_kills,
      num_torn,
      ", ".join(
        name for name in names if content.get(name) != self._whole.get(name)
      ),
    )


def survive(name: str, num_survivors: int, folder: Path) -> list[Trial]:
  """Repeats trials of a game until enough of its runs have been killed.

  Args:
    name: one of GAMES.
    num_survivors: runs to kill and to resume.
    folder: an empty one.

  Returns:
    The trials of runs that were killed.
  """
  game = Game(name, folder)
  trials = []
  seed = 0
  while len(trials) < num_survivors:
    trial = game.trial(seed)
    seed += 1
    # A run may end before its moment comes.
    if trial.num_kills:
      trials.append(trial)
  return trials


def main() -> int:
  """Kills runs of every game, and says how many ended as they should."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--survivors", type=int, default=20)
  parser.add_argument("--games", nargs="+", choices=GAMES, default=list(GAMES))
  options = parser.parse_args()
  failed = 0
  for name in options.games:
    with tempfile.TemporaryDirectory() as folder:
      trials = survive(name, options.survivors, Path(folder))
    same = sum(not trial.difference for trial in trials)
    failed += len(trials) - same
    num_kills = sum(trial.num_kills for trial in trials)
    num_torn = sum(trial.num_torn for trial in trials)
    print(
      f"{name}: {same} of {len(trials)} resumed runs end as if they had not "
      f"been killed; {num_kills} kills, of which {num_torn} tore a checkpoint",
      flush=True,
    )
    for number, trial in enumerate(trials):
      if trial.difference:
        print(f"  trial {number} differs in {trial.difference}")
  return 1 if failed else 0


if __name__ == "__main__":
  sys.exit(main())
