"""How good the models are: metrics as pure functions, arms to compare, tables and figures."""
