"""The report of a sweep: what its tests say, in words, tables and figures, on one page."""
