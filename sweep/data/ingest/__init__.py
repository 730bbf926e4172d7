"""From files to a store: a plan of what to read, then workers that read it, restartable."""
