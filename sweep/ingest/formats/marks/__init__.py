"""Marks: masks and boxes that say where in an image a finding lies, and the labels they give."""
