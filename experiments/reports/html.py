"""HTML pages from templates, with pictures inside the page."""

import base64
import io
from pathlib import Path
from typing import Any

import jinja2
from matplotlib.figure import Figure

from experiments.configs.fields import fields_of
from experiments.training.run_config import RunSettings

_TEMPLATES = Path(__file__).parent / "templates"
_TYPES = {".png": "image/png", ".gif": "image/gif"}


def render(template: str, **values: Any) -> str:
  """Fills a template file with values, which are escaped."""
  environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_TEMPLATES),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
  )
  return environment.get_template(template).render(**values)


def settings_rows(run: RunSettings) -> list[tuple[str, str, bool, str]]:
  """Lists settings: name, value, whether it was changed, and help."""
  rows = []
  for field in fields_of(type(run.settings)):
    value = getattr(run.settings, field.name)
    changed = value != getattr(run.experiment.settings, field.name)
    help_line = field.metadata["help"]
    rows.append((field.name, field.format(value), changed, help_line))
  return rows


def source_of_file(path: Path) -> str:
  """Returns the `src` of an `img` element that holds a picture file."""
  return _source(path.read_bytes(), path.suffix)


def source_of_figure(figure: Figure) -> str:
  """Returns the `src` of an `img` element that holds a figure."""
  buffer = io.BytesIO()
  figure.savefig(buffer, format="png")
  return _source(buffer.getvalue(), ".png")


def _source(content: bytes, suffix: str) -> str:
  encoded = base64.b64encode(content).decode()
  return f"data:{_TYPES[suffix]};base64,{encoded}"
