"""Policies: which drugs and embolic agents are worth simulating for a case."""
