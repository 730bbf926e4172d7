"""The scanner: from an object or measured k-space to the picture that is shown."""
