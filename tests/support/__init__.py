"""What tests build upon: stores, collections of files, sweeps as users run them, and the data.

Tests import from here; a conftest holds fixtures alone and is imported by nobody.
"""
