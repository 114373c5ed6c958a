"""Experiments, the commands that train them, and the run folders."""
