"""What a sweep leaves behind, and who is told of it: the folder, the trials, trackers, ranking.

The folder is the truth; MLflow and every other tracker hear of it through callbacks.
"""
