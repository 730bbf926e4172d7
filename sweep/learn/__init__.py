"""Training and robust evaluation in plain torch: no Ray, no Optuna, no MLflow.

``fit`` is the whole of it for one recipe; the cluster runs the very same loop.
"""
