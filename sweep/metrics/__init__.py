"""What a checkpoint is scored by: the table of metrics, the robust summary, patient intervals.

A metric belongs here as one function and one row of the table; from the row it is recorded, told
to the trackers, given an interval, ranked by and printed. NumPy only.
"""

from sweep.metrics.table import Metric, metric_for, metric_of, metrics, objectives

__all__ = ["Metric", "metric_for", "metric_of", "metrics", "objectives"]
