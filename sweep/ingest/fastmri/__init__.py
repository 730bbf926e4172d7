"""fastMRI: its volumes and tables, the rules from fastMRI+ findings to labels, and their plan."""
