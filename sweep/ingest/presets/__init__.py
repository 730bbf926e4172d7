"""Layouts of data sets in public use: a file for each, and the plan of a store that it leads to.

A preset is ``NAME.yaml`` in this folder; to add one is to add a file.
"""
