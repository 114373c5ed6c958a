"""The first signal is heard at once, and the second ends the process."""

import os
import signal
import subprocess
import sys
import time

from absl.testing import absltest, parameterized

from experiments.cli import signals
from tests.experiments import commands

PROGRAM = """
import signal, time
from experiments.cli import signals

with signals.caught("noticed") as told:
  print("ready", flush=True)
  {body}
print(told.signal)
raise SystemExit(told.exit_code())
"""
WAITS = "while not told.requested(): time.sleep(0.01)"
BLOCKS = "import hashlib; hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)"
"""One long call into C, as of a compiler: the main thread hears nothing."""


def start(body):
  process = subprocess.Popen(
    [sys.executable, "-c", PROGRAM.format(body=body)],
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )
  assert process.stdout
  process.stdout.readline()
  return process


class InterruptionTest(parameterized.TestCase):
  @parameterized.parameters((signal.SIGINT, 130), (signal.SIGTERM, 143))
  def test_the_first_signal_is_a_request(self, number, code):
    process = start(WAITS)
    process.send_signal(number)
    output, error = process.communicate(timeout=60)
    self.assertEqual(process.returncode, code)
    self.assertEqual(output, f"{int(number)}\n")
    self.assertEqual(error, "noticed\n")

  def test_two_at_once_are_one(self):
    # The process sends them itself, so that none is late.
    process = start(
      "signal.raise_signal(signal.SIGTERM); "
      "signal.raise_signal(signal.SIGINT); time.sleep(1)"
    )
    output, error = process.communicate(timeout=60)
    self.assertEqual(process.returncode, 143)
    self.assertEqual(output, f"{int(signal.SIGTERM)}\n")
    self.assertEqual(error, "noticed\n")

  @parameterized.parameters((signal.SIGINT, 130), (signal.SIGTERM, 143))
  def test_the_second_ends_a_process_that_does_not_listen(self, number, code):
    process = start(BLOCKS)
    process.send_signal(number)
    assert process.stderr
    self.assertEqual(process.stderr.readline(), "noticed\n")
    self.assertIsNone(process.poll())
    time.sleep(2 * signals.SECONDS_OF_ONE)
    process.send_signal(number)
    _, error = process.communicate(timeout=60)
    self.assertEqual(process.returncode, code)
    self.assertEqual(error, "stopped at once\n")

  @parameterized.parameters("experiments", "numpy", "jax", "flax")
  def test_while_a_command_imports(self, module):
    # A shell lets what it runs in the background ignore Ctrl-C, and children
    # inherit that.
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    self.addCleanup(signal.signal, signal.SIGINT, previous)
    process = subprocess.Popen(
      [
        sys.executable,
        *("-X", "importtime", "-m", "experiments.run", "--list"),
      ],
      env=commands.ENVIRONMENT,
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )
    assert process.stderr
    # A line for each module, when it has been imported.
    for line in process.stderr:
      if line.split("|")[-1].strip() == module:
        break
    process.send_signal(signal.SIGINT)
    output, error = process.communicate(timeout=60)
    self.assertEqual(process.returncode, 130, error)
    self.assertEqual(output, "")
    others = [
      line for line in error.splitlines() if not line.startswith("import time:")
    ]
    self.assertEqual(others, ["interrupted"])

  @parameterized.parameters((signal.default_int_handler,), (signal.SIG_IGN,))
  def test_then_it_is_as_before(self, handler):
    previous = signal.signal(signal.SIGINT, handler)
    self.addCleanup(signal.signal, signal.SIGINT, previous)
    signals.end_at_once()
    at_once = signal.getsignal(signal.SIGINT)
    self.assertEqual(at_once is handler, handler == signal.SIG_IGN)
    signals.end_in_order()
    self.assertIs(signal.getsignal(signal.SIGINT), handler)

  def test_handlers_are_put_back(self):
    before = [signal.getsignal(number) for number in signals.SIGNALS]
    with signals.caught("noticed") as told:
      self.assertFalse(told.requested())
      os.kill(os.getpid(), signal.SIGTERM)
      deadline = time.monotonic() + 60
      while not told.requested() and time.monotonic() < deadline:
        time.sleep(0.01)
      self.assertEqual(told.exit_code(), 143)
    after = [signal.getsignal(number) for number in signals.SIGNALS]
    self.assertEqual(before, after)


if __name__ == "__main__":
  absltest.main()
