"""Training and robust evaluation in plain torch: no Ray, no Optuna, no MLflow.

``fit`` is the whole of it for one trial; the cluster runs the very same loop. What a network sees,
how it is trained, how it is stress-tested and scored belongs here.
"""
