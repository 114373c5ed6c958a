"""report.html of a sweep: one self-contained page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np

from experiments.cli import console
from experiments.configs.fields import fields_of
from experiments.reports import html, run_report
from experiments.run_folder import results
from experiments.sweeps import command, folders, labels, ranking
from experiments.sweeps import plan as plans
from experiments.sweeps import summary as summaries
from experiments.sweeps.plan import Plan
from experiments.sweeps.ranking import Place

NUM_OPEN_ROWS, MAX_ROWS = 20, 200
"""Trials that are seen at once, and that are on the page at all."""
MAX_METRICS = 6
_OF_PLAYERS = ("generator_", "discriminator_", "critic_")
"""How metrics begin that say how players do, not how good samples are."""

_OF_AVERAGE = "average_"
"""How those of the generator's average begin, which is what is scored."""


class Row(NamedTuple):
  """A trial in the ranking.

  Attributes:
    rank: its own.
    link: to its page, from that of the sweep.
    leads: whether it is the best or ties with it.
    cells: the values of what is varied.
    score: with its interval.
    verdict: how it stands to the best.
    metrics: final ones.
    failed: how many seeds did; nothing for none.
  """

  rank: int
  link: str
  leads: bool
  cells: list[str]
  score: str
  verdict: str
  metrics: list[str]
  failed: str


def write(
  plan: Plan, places: Sequence[Place], folder: Path, seconds: float | None
) -> None:
  """Writes the page of a sweep into its folder, whose figures are there.

  Args:
    plan: of the sweep.
    places: of its trials, the best first.
    folder: of the sweep.
    seconds: that its programs took, added up; None if it is not known.

  Raises:
    OSError: if it cannot be written.
  """
  page = render(plan, places, folder, seconds)
  with results.replacing(folder / results.REPORT) as partial:
    partial.write_text(page)


def render(
  plan: Plan, places: Sequence[Place], folder: Path, seconds: float | None
) -> str:
  """Writes the page of a sweep.

  Args:
    plan: of the sweep.
    places: of its trials, the best first.
    folder: of the sweep, from which figures are read.
    seconds: that its programs took, added up; None if it is not known.

  Returns:
    HTML that links to files of the folder, and needs none of them.
  """
  metrics = _metrics(places)
  shown = places[:MAX_ROWS]
  several = len(plan.base.seeds) > 1
  return html.render(
    "sweep.html",
    title=folder.resolve().name,
    summary=_summary(plan, seconds),
    warnings=_warnings(plan, places),
    verdict=_verdict(places),
    cautions=_cautions(plan, places),
    varied=_varied(plan),
    measured=(
      "Numbers are means with their 95 % confidence intervals; those of the "
      "best and of ties with it are bold."
      if several
      else "The best is bold."
    ),
    columns=[labels.phrase(name) for name in plan.trials[0].values],
    metrics=[labels.phrase(name) for name in metrics],
    rows=[_row(plan, place, metrics) for place in shown],
    num_open=NUM_OPEN_ROWS,
    num_more=len(places) - len(shown),
    table=folders.CSV,
    content=results.SUMMARY,
    protocol=list(places[0].measured.protocol.items()),
    pictures=run_report.pictures(folder),
    command=command.command(plan),
    settings=html.settings_rows(plan.base),
    environment=_environment(places),
  )


def _summary(plan: Plan, seconds: float | None) -> str:
  """Says what was trained."""
  experiment = plan.base.experiment
  text = (
    f"{experiment.name} ({experiment.source}): {experiment.summary}; "
    f"{labels.extent(plan)}."
  )
  if plan.left_out:
    text += (
      f" {labels.counted(plan.left_out, 'combination')} that "
      f"{'makes' if plan.left_out == 1 else 'make'} no sense left out."
    )
  if seconds is not None:
    text += (
      f" The programs took {seconds:,.0f} s, added up; several may have "
      "trained at the same time."
      if len(plan.programs) > 1
      else f" It took {seconds:,.0f} s."
    )
  return text


def _warnings(plan: Plan, places: Sequence[Place]) -> list[str]:
  """Says what makes the ranking worth little."""
  lines = []
  if ranking.all_failed(places):
    lines.append("Every seed of every trial failed.")
  if len(plan.base.seeds) == 1:
    lines.append(f"{labels.ONE_SEED[0].upper()}{labels.ONE_SEED[1:]}.")
  return lines


def _verdict(places: Sequence[Place]) -> str:
  """Says which trial is the best."""
  best, *others = places
  if best.has_failed:
    return "No trial is the best, as every seed of every trial failed."
  text = f"The best trial is {best.trial.name}: {console.number(best.score)}."
  ties = sum(own.leads for own in others)
  if best.score["ci95"] is not None and others:
    text += (
      f" {ties:,} of the {len(others):,} others "
      f"{'ties' if ties == 1 else 'tie'} with it."
    )
  lost = sum(len(own.measured.failures) for own in places)
  if lost:
    num_members = len(places) * len(best.trial.run.seeds)
    text += f" {lost:,} of {num_members:,} seeds of all trials failed."
  return text


def _cautions(plan: Plan, places: Sequence[Place]) -> list[str]:
  """Says how the ranking is to be read."""
  if len(places) == 1:
    return []
  lines = [
    "The best of many means is chosen for being the highest, and with it the "
    "luck of its seeds: it is optimistic, the more so the more trials there "
    "are. Training it with other seeds tells what it is worth."
  ]
  if len(plan.base.seeds) > 1:
    lines.append(
      "A tie is a difference whose 95 % confidence interval (Welch's) contains "
      "0: these seeds do not tell the two apart, which few seeds, or one that "
      "failed, make likely. It does not say that they are equal."
    )
  return lines


def _varied(plan: Plan) -> list[tuple[str, str, str]]:
  """Lists what is varied, with its values or how they were drawn, and help."""
  fields = {field.name: field for field in fields_of(type(plan.base.settings))}
  rows = [
    (axis.name, ", ".join(map(fields[axis.name].format, axis.values)))
    for axis in plan.axes
  ]
  for part in plan.told.random.split(";"):
    name, _, drawn = part.strip().removeprefix("--").partition("=")
    if name.strip() in plan.drawn:
      text = f"{plan.told.draws:,} drawn, {drawn.strip()}"
      rows.append((name.strip(), text))
  return [(name, text, fields[name].metadata["help"]) for name, text in rows]


def _metrics(places: Sequence[Place]) -> list[str]:
  """Chooses the metrics to show: of samples."""
  names = dict.fromkeys(
    name.removeprefix(_OF_AVERAGE)
    for own in places
    for name in own.measured.final
    if name != ranking.SCORE
  )
  return [own for own in names if not own.startswith(_OF_PLAYERS)][:MAX_METRICS]


def _row(plan: Plan, place: Place, metrics: Sequence[str]) -> Row:
  """Writes a trial's row."""
  final = place.measured.final
  texts = labels.texts(plan.base.settings, place.trial.values)
  lost, num_seeds = len(place.measured.failures), len(plan.base.seeds)
  return Row(
    place.rank,
    quote(f"{plans.TRIALS}/{place.trial.name}/{results.REPORT}"),
    place.leads,
    list(texts.values()),
    console.number(place.score),
    labels.verdict(place),
    [_metric(final, name) for name in metrics],
    f"{lost} of {num_seeds}" if lost else "",
  )


def _metric(final: Mapping[str, np.ndarray], name: str) -> str:
  """Writes a metric of what is scored: of the average, where there is one."""
  values = final.get(f"{_OF_AVERAGE}{name}", final.get(name))
  if values is None:
    return run_report.ABSENT
  return console.number(results.seed_summary(values))


def _environment(places: Sequence[Place]) -> list[tuple[str, Any]]:
  """Lists where trials trained, one machine below another."""
  rows: list[tuple[str, Any]] = []
  for environment, count in summaries.environments(places):
    rows += [
      ("device", environment["device"]),
      ("trials", f"{count:,}"),
      ("git commit", environment["git_commit"] or "unknown"),
      *environment["versions"].items(),
    ]
  return rows
