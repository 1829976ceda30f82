"""Drugs and embolic agents, protocols of them, the rules they obey, and protocols as text."""
