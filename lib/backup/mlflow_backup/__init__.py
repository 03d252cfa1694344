"""Backups of the database and the artifacts of an MLflow tracking server, and the way back."""
