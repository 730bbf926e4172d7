"""From fastMRI volumes and their tables to the plan of a store."""
