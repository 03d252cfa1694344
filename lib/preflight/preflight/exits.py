"""Exit codes, each for a kind of causes. Those of a client are in mlflow_doctor.py."""

EXIT_CREDENTIALS = 1
EXIT_USAGE = 2
EXIT_ENVIRONMENT = 3
EXIT_STORE_REFUSES = 4
EXIT_STORE_ABSENT = 5
EXIT_DATABASE_REFUSES = 6
EXIT_DATABASE_ABSENT = 7
EXIT_SCHEMA = 8
# 9 and 10 are those of a client
EXIT_KEPT = 11
