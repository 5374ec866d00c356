"""A simulated Barrack cloud: what the tests and the demo run against, without a network."""
