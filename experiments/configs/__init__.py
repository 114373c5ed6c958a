"""Settings, and the experiments that they configure."""
