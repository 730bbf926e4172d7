"""How sure a score or a difference is: resamples of patients, seeds and configurations as units.

Arrays in, numbers out; NumPy and SciPy only.
"""
