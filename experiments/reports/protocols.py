"""Tells whether the results of runs were measured alike, and how they differ.

A Frechet distance of one network's features says nothing about one of another
network's, and a number of covered modes nothing about other data.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.configs.fields import fields_of
from experiments.configs.settings import Settings

_NOT_OF_SAMPLES = (
  "generator_",
  "discriminator_",
  "critic_real",
  "critic_fake",
)
"""Prefixes of metrics of the players, which do not say how good samples are."""
_ACCURACY = "features_accuracy"
"""Entry that may differ in its last digits: other machines train the same
classifier with other rounding. `features` says on what it was trained."""


def comparable(
  experiment: str, settings: Settings, protocol: Mapping[str, Any]
) -> dict[str, Any]:
  """Returns what two runs must have in common for their results to compare.

  Args:
    experiment: its name.
    settings: of the run.
    protocol: how metrics were measured, as in summary.json; empty where the
      settings say it all.
  """
  if protocol:
    return {name: x for name, x in protocol.items() if name != _ACCURACY}
  return {
    "dataset": getattr(settings, "dataset", experiment),
    **{
      field.name: field.format(getattr(settings, field.name))
      for field in fields_of(type(settings))
      if field.metadata["sets_protocol"]
    },
  }


def differences(
  protocols: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> str:
  """Says in one line how protocols differ; "" if they do not.

  Args:
    protocols: of runs, as `comparable` returns them.
    names: of the runs.
  """
  shared = [key for key in protocols[0] if all(key in x for x in protocols)]
  different = [
    key for key in shared if any(x[key] != protocols[0][key] for x in protocols)
  ]
  if not different and any(set(x) != set(shared) for x in protocols):
    return "they are measured by different networks or on different data"
  return "; ".join(
    f"{key.replace('_', ' ')} is "
    + ", ".join(
      f"{x[key]} in {name}" for x, name in zip(protocols, names, strict=True)
    )
    for key in different
  )


def measures_samples(name: str) -> bool:
  """Tells whether a metric, or the score, says how good samples are."""
  return not name.startswith(_NOT_OF_SAMPLES)
