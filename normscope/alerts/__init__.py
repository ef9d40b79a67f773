"""Alerts: rules about what is measured, and what looks at every frame and says where they hold. Needs no torch."""

from .rules import BUILT_IN, LOST, STATISTICS, Rule, alert, chosen
from .sentry import MOST, Sentry, Sight

__all__ = ["BUILT_IN", "LOST", "MOST", "STATISTICS", "Rule", "Sentry", "Sight", "alert", "chosen"]
