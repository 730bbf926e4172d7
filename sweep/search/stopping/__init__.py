"""Rules that stop weak trials early, in plain Python: each sees the trials of one stratum alone."""
