"""Writes the script of a Slurm array that trains the programs of a sweep."""

import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import jinja2

from experiments.cli import console
from experiments.cli.flags import UsageError
from experiments.run_folder import results
from experiments.run_folder.results import RunFolderError
from experiments.sweeps import folders, worker_process
from experiments.sweeps import plan as plans
from experiments.sweeps.engines.engine import Engine, EngineOptions, Lost
from experiments.sweeps.plan import Plan

_MOST_CORES = 8
"""That a task asks for; few nodes have so few, and few programs use more."""

_TEMPLATE = """\
#!/bin/bash
# One task of this array for each program of the sweep; submit it with
#   sbatch {{ script }}
# What `sbatch` is told beside, --time or --partition say, counts instead.
#SBATCH --job-name={{ name }}
#SBATCH --array={{ array }}
#SBATCH --ntasks=1
#SBATCH --cpus-per-task={{ cores }}
{% if gpu %}
#SBATCH --gpus-per-task=1
{% endif %}
#SBATCH --time=24:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --chdir={{ here }}
#SBATCH --output={{ log }}
set -euo pipefail

{% if path %}
export PYTHONPATH={{ path }}
{% endif %}
# No srun: told to end, it kills what it runs, which is to be saved.
{{ command }} &
program=$!

# Before the time is up: save, and go on as a task of the same number.
again=no told=no
stop() { told=yes; kill -TERM "$program" || true; }
trap 'again=yes; stop' USR1
trap stop TERM

# A signal ends a wait before the program has ended.
while true; do
  told=no code=0
  wait "$program" || code=$?
  [[ $told == yes ]] || break
done
if [[ $again == yes && $code == {{ stopped }} ]]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"

# When the array has ended, this ranks the trials, and says what is missing:
#   {{ ranks }}
"""


def script(
  plan: Plan, folder: Path, programs: Sequence[int], options: EngineOptions
) -> str:
  """Writes the script.

  Args:
    plan: of the sweep.
    folder: of the sweep.
    programs: to train.
    options: of the command.

  Returns:
    The script, which `sbatch` takes.

  Raises:
    RunFolderError: if a path cannot be written in it.
  """
  folder = folder.resolve()
  for path in (str(folder), os.getcwd()):
    if "\n" in path or "\\" in path:
      raise RunFolderError(
        f"{path!r} has a character that Slurm's scripts cannot have in paths"
      )
  python = shlex.quote(sys.executable)
  sweep = f"{python} -m experiments.sweep {shlex.quote(f'--workdir={folder}')}"
  flags = " ".join(shlex.quote(flag) for flag in options.flags())
  most_members = len(plan.base.seeds) * max(
    len(plan.programs[own]) for own in programs
  )
  path = os.environ.get("PYTHONPATH", "")
  # A folder of three digits, as those of programs are.
  log = f"{_literal(str(folder / plans.PROGRAMS))}/%3a/{worker_process.LOG}"
  environment = jinja2.Environment(
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    keep_trailing_newline=True,
  )
  return environment.from_string(_TEMPLATE).render(
    script=shlex.quote(str(folder / folders.SLURM_SCRIPT)),
    name=f"sweep-{plan.base.experiment.name}",
    array=_indices(programs)
    + (f"%{options.max_parallel}" if options.max_parallel else ""),
    cores=min(_MOST_CORES, most_members),
    gpu=options.platform == "gpu",
    here=shlex.quote(os.getcwd()),
    log=shlex.quote(log),
    path=shlex.quote(path) if path else "",
    command=f'{sweep} --program="$SLURM_ARRAY_TASK_ID" {flags}',
    stopped=worker_process.STOPPED_EXIT_CODE,
    ranks=sweep,
  )


def _literal(path: str) -> str:
  """Writes a path so that Slurm replaces nothing in it."""
  return path.replace("%", "%%")


def _indices(programs: Sequence[int]) -> str:
  """Writes numbers in order as Slurm does, 0-3,7."""
  ranges: list[list[int]] = []
  for own in programs:
    if ranges and own == ranges[-1][-1] + 1:
      ranges[-1][1:] = [own]
    else:
      ranges.append([own])
  return ",".join("-".join(map(str, own)) for own in ranges)


def _check(options: EngineOptions) -> None:
  if options.address:
    raise UsageError("--address is of a Ray cluster; --engine=ray reads it")
  if options.platform == "tpu":
    raise UsageError("--engine=slurm has no TPUs; choose cpu or gpu")


def _preview(plan: Plan, folder: Path, options: EngineOptions) -> None:
  """Prints the script for what is left."""
  programs = plan.unfinished_programs(folder)
  if programs:
    print(script(plan, folder, programs, options), end="")


def train(
  plan: Plan,
  folder: Path,
  programs: Sequence[int],
  options: EngineOptions,
  on_poll: Callable[[], None],
  should_stop: Callable[[], bool],
) -> list[Lost]:
  """Writes the script into the folder of a sweep, and says how to submit it.

  Args:
    plan: of the sweep.
    folder: of the sweep.
    programs: to train.
    options: of the command.
    on_poll: not called.
    should_stop: not called.

  Returns:
    Nothing that was lost.
  """
  del on_poll, should_stop
  if not programs:
    return []
  for own in programs:
    # Slurm makes no folder for what a task says.
    worker_process.scratch(folder, own).mkdir(parents=True, exist_ok=True)
  path = folder / folders.SLURM_SCRIPT
  with results.replacing(path) as partial:
    partial.write_text(script(plan, folder, programs, options))
  console.say(f"submit it with: sbatch {shlex.quote(str(path))}")
  return []


ENGINE = Engine(_check, _preview, train)
