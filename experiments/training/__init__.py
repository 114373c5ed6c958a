"""Trains an experiment into a run folder."""
