"""MeWM: a Medical World Model for planning transarterial chemoembolization (TACE). Research use only."""

__version__ = "0.1.0"
