"""One chosen protocol of a run as files for a colleague: numbers, pictures, provenance and a page to read."""
