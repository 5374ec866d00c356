"""Barrack Web: a dashboard for teams that rent GPU virtual machines."""

__version__ = "0.1.0"
