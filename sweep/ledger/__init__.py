"""What a sweep leaves behind: its folder, which is the truth, and MLflow, which mirrors it."""
