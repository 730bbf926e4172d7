"""From files as users have them to a store: a plan of what to read, then workers that read it.

A way into a store belongs here: it makes a ``Plan``, and ``engine`` carries it out, in parallel
and restartable. The readers of file formats are in ``formats``, all of fastMRI in ``fastmri``.
"""
