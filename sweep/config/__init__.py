"""What a user can set: the settings of a trial and of a sweep, the search space, the levels.

A new setting belongs here, with its check; what it does belongs to the room that does it.
"""
