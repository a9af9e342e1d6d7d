"""A run without a terminal: the runner and its writers."""
