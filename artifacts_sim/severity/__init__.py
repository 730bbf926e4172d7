"""Levels: what they mean, and how they are found."""
