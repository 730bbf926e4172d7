"""A folder of knee-like patients: drawn, scanned, written in the layouts that real data come in."""
