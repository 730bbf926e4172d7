"""The sweep on Ray: the session, the pool of evaluators, the trial, and Tune's driver."""
