"""The sweep on Ray: the session, the evaluation pool, the trial, and what the driver sees."""
