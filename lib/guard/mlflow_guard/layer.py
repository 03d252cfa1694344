"""The guard as a layer in front of the app of a server. Where its settings are wrong, the server does not start."""

from __future__ import annotations

import os

from app_layers.asgi import App

from .guard import Guard
from .settings import Settings

# the first is what MLflow's server tells its own processes
PREFIXES = ("_MLFLOW_STATIC_PREFIX", "MLFLOW_STATIC_PREFIX")


def wrap(app: App) -> Guard:
    return Guard(app, SETTINGS, next((os.environ[name] for name in PREFIXES if os.environ.get(name)), ""))


try:
    SETTINGS = Settings.of(os.environ)
except ValueError as error:
    raise ValueError(f"the guard cannot stand in front of MLflow: {error}") from None
