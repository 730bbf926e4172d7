"""How configurations are chosen and weak ones stopped: Optuna's study under Tune's schedule."""
