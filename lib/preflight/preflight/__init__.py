"""What keeps an MLflow tracking server from working, told before it starts, while it runs, and to its clients."""
