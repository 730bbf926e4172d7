"""The words that every room uses: errors, records, keys, files and text; imports nothing of ours.

Something belongs here if at least two rooms need it and it knows nothing of stores, networks,
clusters or trackers.
"""
