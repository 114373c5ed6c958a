"""Runs commands as a user does, each in another process.

Most of what a small command takes is to import. So one process does that once
and runs each command line in a child.
"""

import atexit
import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": ""}
TIMEOUT_SECONDS = 300

_SERVER = f"""
import importlib, json, os, signal, sys
from experiments import figures, run
from experiments.cli import flags
from experiments.run_folder import results

for line in sys.stdin:
  module, arguments, draws, cwd, stdout, stderr = json.loads(line)
  child = os.fork()
  if not child:
    signal.alarm({TIMEOUT_SECONDS})
    os.chdir(cwd)
    for number, name in enumerate((os.devnull, stdout, stderr)):
      os.dup2(os.open(name, os.O_RDWR | os.O_CREAT), number)
    if not draws:
      results.write_figures = lambda *_: None
    sys.argv = [module, *arguments]
    flags.main(importlib.import_module(module).run)
  _, status = os.waitpid(child, 0)
  print(os.waitstatus_to_exitcode(status), flush=True)
"""


@functools.cache
def _server() -> subprocess.Popen[str]:
  """Starts the process that has imported the commands."""
  server = subprocess.Popen(
    [sys.executable, "-c", _SERVER],
    env=ENVIRONMENT,
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    text=True,
  )
  atexit.register(server.communicate)
  return server


def run(
  module: str, *flags: str, cwd: Path, draws: bool = True
) -> subprocess.CompletedProcess[str]:
  """Runs `python -m MODULE FLAGS` in a folder.

  Args:
    module: of the command, such as experiments.run.
    *flags: its command line.
    cwd: where.
    draws: whether a run draws its figures, half of what a short one takes.

  Returns:
    The finished process; its exit code is negative if a signal ended it.
  """
  server = _server()
  assert server.stdin and server.stdout
  with tempfile.TemporaryDirectory() as outputs:
    stdout, stderr = (Path(outputs) / name for name in ("stdout", "stderr"))
    request = [module, flags, draws, str(cwd), str(stdout), str(stderr)]
    server.stdin.write(json.dumps(request) + "\n")
    server.stdin.flush()
    code = int(server.stdout.readline())
    return subprocess.CompletedProcess(
      flags, code, stdout.read_text(), stderr.read_text()
    )
