"""The words in which reports tell what angiography showed, for :mod:`mewm.reports.outcome`; for text in lower case."""
