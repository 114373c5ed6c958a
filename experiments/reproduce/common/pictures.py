"""Parts of pictures that several figures share."""

from matplotlib.figure import Figure


def headline(figure: Figure, text: str) -> None:
  """Writes what a figure shows above all its panels, at the left edge."""
  figure.suptitle(text, x=0.01, ha="left", fontsize=11)
