"""How the knob values of levels are found: similarity, its fall with the knob, its inverse."""
