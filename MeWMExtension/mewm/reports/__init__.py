"""Free-text TACE and radiology reports → what was given, and what angiography showed."""
