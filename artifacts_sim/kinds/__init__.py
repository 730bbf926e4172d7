"""The artifacts, one file each: what they draw, and the operator that it makes."""
