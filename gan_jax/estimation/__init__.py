"""Baselines that are not games: noise-contrastive estimation and PPCA."""
