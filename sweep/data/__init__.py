"""Labelled slices on disk: one file format, the ways into it, and a phantom to fill it with.

``formats`` reads files as users have them; ``ingest`` turns them into ``store``, the file that
every trial maps; ``slices`` has what a store says of each slice, with the laws; ``inspect`` shows
what a store holds; ``phantom`` makes volumes of the fastMRI layout.
"""
