"""Labelled slices on disk: one file format, the ways into it, and a phantom to fill it with.

``store`` is the file that every trial maps; ``slices`` what it says of each slice, with the laws;
``images`` ingests picture files; ``phantom`` makes volumes of the fastMRI layout.
"""
