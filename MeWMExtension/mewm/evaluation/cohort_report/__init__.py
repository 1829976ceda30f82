"""How close a cohort comes to reality: tables, figures and one document."""
