"""The dynamics of a game near a point."""
