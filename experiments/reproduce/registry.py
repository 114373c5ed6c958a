"""The reproductions: every list and test table derives from this one."""

from experiments.reproduce.reproduction import Reproduction
from experiments.reproduce.wgan2017 import disjoint_lines

REPRODUCTIONS: tuple[Reproduction, ...] = (disjoint_lines.REPRODUCTION,)

BY_ID = {reproduction.id: reproduction for reproduction in REPRODUCTIONS}
