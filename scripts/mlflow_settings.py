#!/usr/bin/env python3
"""Writes docs/reference/mlflow-settings.md: each setting of the installed MLflow, and what this stack does about it.

python scripts/mlflow_settings.py           writes the page
python scripts/mlflow_settings.py --check   fails where the page is not up to date, and where MLflow has a setting that
                                            nobody has decided about
"""

from __future__ import annotations

import inspect
import pathlib
import re
import sys

import mlflow.environment_variables as environment
from mlflow.cli import cli
from mlflow.version import VERSION

PAGE = pathlib.Path(__file__).parent.parent / "docs/reference/mlflow-settings.md"
PACKAGE = pathlib.Path(environment.__file__).parent
# what the server is made of; the names in it that no other module declares are settings as well
SERVER = (
    "server",
    "cli/__init__.py",
    "cli/crypto.py",
    "utils/crypto.py",
    "utils/cli_args.py",
    "telemetry",
    "gateway",
    "store",
    "webhooks",
)

# name of the group: what it is, and {setting: decision}
SECRETS = {
    "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": "**Set**, from Secret `<name>-server-secrets`. Unset, each process makes up its own: no "
    "other one, and none after a restart, can list or delete a webhook with a secret.",
    "MLFLOW_CRYPTO_KEK_PASSPHRASE": "**Set**, from the same Secret. Unset or empty, API keys of the AI gateway are encrypted with a "
    "passphrase that stands in MLflow's source.",
    "MLFLOW_CRYPTO_KEK_VERSION": "**Set**: the prop `secrets.kekVersion`. It goes up with each rotation.",
    "MLFLOW_FLASK_SERVER_SECRET_KEY": "**Set** with `BasicAuth`, from Secret `<name>-login`. MLflow's login does not start without it; "
    "without a login nothing reads it.",
    "MLFLOW_AUTH_ADMIN_PASSWORD": "**Set** with `BasicAuth`, from Secret `<name>-login`. There is no default any more, and the one of "
    "older versions is refused.",
    "MLFLOW_AUTH_ADMIN_USERNAME": "**Set** with `BasicAuth`, from Secret `<name>-login`.",
    "MLFLOW_BACKEND_STORE_URI": "**Set** by stores whose URI has a password in it, from a Secret. Other URIs are arguments without user "
    "and password, which PGUSER and PGPASSWORD hold.",
    "MLFLOW_READ_REPLICA_BACKEND_STORE_URI": "**Set** by `readReplica` of the store.",
    "MLFLOW_REGISTRY_STORE_URI": "**Set** by `registryStore`, from a Secret; as plain text in `extraEnv` it is a fault.",
    "MLFLOW_WORKSPACE_STORE_URI": "Yours: with a password in it from a Secret (`extraEnv` with `valueFrom`). Unset it is the backend store.",
    "MLFLOW_SERVER_JOB_HUEY_REDIS_URL": "Yours; with a password in it from a Secret. Unset, jobs are in files of the pod.",
    "MLFLOW_GATEWAY_BUDGET_REDIS_URL": "Yours; with a password in it from a Secret. Unset, each process counts budgets for itself: with "
    "several workers or pods a budget is spent as many times.",
    "MLFLOW_GATEWAY_RATE_LIMITS_STORAGE_URI": "Yours, as the budget.",
    "MLFLOW_UC_OSS_TOKEN": "Not read by the server here. As plain text in `extraEnv` it is a fault.",
    "MLFLOW_MYSQL_SSL_KEY": "**Set** by `ExternalDatabase` with a certificate: the path of a file from a Secret.",
    "_MLFLOW_INTERNAL_GATEWAY_AUTH_TOKEN": "Made up at each start by the first process of a pod, and handed to its workers and jobs, which "
    "speak to the server in the same pod only. So it may differ between pods.",
    "_MLFLOW_SERVER_BOOT_ID": "Made up at each start, for sandboxes in the same pod. No secret.",
    "_MLFLOW_TELEMETRY_SESSION_ID": "Made up at each start. Telemetry is off.",
}
DOORS = {
    "MLFLOW_DISABLE_TELEMETRY": "**Set** to true, in all pods that run MLflow; `settings.telemetry` switches it on.",
    "MLFLOW_MODEL_CATALOG_URI": "**Set** to a place without files where the NetworkPolicy of the server lets nobody get to GitHub, else "
    "MLflow's own; `settings.modelCatalogUri`.",
    "MLFLOW_SERVER_ALLOWED_HOSTS": "Managed, as the flag of the same meaning: `settings.allowedHosts`, `settings.deriveAllowedHosts`.",
    "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": "Managed: the hosts of the routes, and `settings.corsAllowedOrigins`. Unset it is this machine only.",
    "MLFLOW_SERVER_X_FRAME_OPTIONS": "Managed: `settings.xFrameOptions`. Unset it is SAMEORIGIN.",
    "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE": "**A fault** in `extraEnv` and `extraArgs`.",
    "MLFLOW_BASIC_AUTH_FAIL_CLOSED": "On, and **a fault** in `extraEnv`: off, users get past their permissions.",
    "MLFLOW_SERVER_ENABLE_GRAPHQL_AUTH": "On, and **a fault** in `extraEnv`: off, users get past their permissions.",
    "MLFLOW_GATEWAY_RESOLVE_API_KEY_FROM_ENV": "Off, and **a fault** in `extraEnv`: on, users read variables of the server.",
    "MLFLOW_GATEWAY_RESOLVE_API_KEY_FROM_FILE": "Off, and **a fault** in `extraEnv`: on, users read files of the server.",
    "MLFLOW_GATEWAY_API_BASE_ALLOW_PRIVATE_IPS": "Off. `gateway.privateUpstreams` switches it on, for models in the cluster: who may make endpoints "
    "then reaches what the NetworkPolicy of the server lets out to.",
    "MLFLOW_GATEWAY_API_BASE_ALLOWED_SCHEMES": "https only; with `gateway.privateUpstreams` http too.",
    "MLFLOW_GATEWAY_ALLOWED_PROVIDERS": "All; `gateway.providers` lets fewer in.",
    "MLFLOW_GATEWAY_MAX_DECOMPRESSED_REQUEST_SIZE": "100 MB, for routes of the gateway only. Yours.",
    "MLFLOW_ENABLE_AI_GATEWAY": "On, as MLflow has it; `gateway.enabled: false` switches pages and API off.",
    "MLFLOW_ENABLE_REMOTE_ASSISTANT": "Off, and the guard shuts the assistant for everybody; `guard.assistant` opens it.",
    "MLFLOW_ENABLE_ASSISTANT_SANDBOX": "Unset. It needs Docker, which no pod has.",
    "MLFLOW_SANDBOX_DOCKER_IMAGE": "Not used: no pod has Docker.",
    "MLFLOW_ASSISTANT_SANDBOX_CLI_IMAGE": "Not used: no pod has Docker.",
    "MLFLOW_SANDBOX_EGRESS_PROXY": "Not used: no pod has Docker.",
    "MLFLOW_SERVER_ENABLE_CUSTOM_SCORERS": "Off. On, code of users runs in the server, with its keys: leave it off.",
    "_MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "Off. On (`MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS`), webhooks reach what the NetworkPolicy of the server "
    "lets out to. Yours.",
    "_MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "https only. Yours (`MLFLOW_WEBHOOK_ALLOWED_SCHEMES`).",
    "MLFLOW_ICON_URL_ALLOW_PRIVATE_IPS": "Off. Yours.",
    "MLFLOW_ICON_URL_ALLOWED_SCHEMES": "https only. Yours.",
    "MLFLOW_ICON_URL_ALLOWED_DOMAINS": "All public ones. Yours, to let fewer in.",
    "MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES": "None: the server connects to the host of its own store only. Yours.",
    "MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX": "**Set** by the guard, to places that MLflow looks up itself; `guard.foreignArtifacts` leaves it out.",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "On, as MLflow has it. The server loads models in jobs only, which are off.",
    "MLFLOW_ALLOW_FILE_STORE": "Off, and of no use: the backend store is a database.",
    "MLFLOW_TRACKING_INSECURE_TLS": "Off. For clients; the server does not ask itself by HTTPS.",
    "MLFLOW_S3_IGNORE_TLS": "Off. On, keys go to whoever answers: give the store its `ca`.",
    "MLFLOW_SQLALCHEMYSTORE_ECHO": "Off. On, the log has what users store.",
    "MLFLOW_EXPOSE_PROMETHEUS": "**Set** by `Metrics`. Unset there is no page.",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "**Set** to false; `settings.jobExecution`.",
    "MLFLOW_RBAC_SEED_DEFAULT_ROLES": "On, as MLflow has it: roles that nobody has until somebody gives them.",
    "MLFLOW_SERVER_SECRETS_CACHE_TTL": "60 s, in memory and encrypted. Yours (`--secrets-cache-ttl`): so long a process goes on after a rotation.",
    "MLFLOW_SERVER_SECRETS_CACHE_MAX_SIZE": "1,000. Yours (`--secrets-cache-max-size`).",
    "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "Managed by `artifactTransfer`, where this MLflow reads it.",
    "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "Managed by `artifactTransfer`, where this MLflow reads it.",
    "MLFLOW_PRESIGNED_DOWNLOAD_URL_TTL_SECONDS": "As MLflow has it; with `ArtifactTransfer.DIRECT` such a URL opens an artifact for so long.",
    "MLFLOW_ENABLE_MULTIPART_UPLOAD": "For clients; see `artifactTransfer`.",
    "MLFLOW_ENABLE_MULTIPART_DOWNLOAD": "For clients; see `artifactTransfer`.",
}
MANAGED = {
    "MLFLOW_ARTIFACTS_DESTINATION": "the store",
    "MLFLOW_ARTIFACTS_ONLY": "a fault",
    "MLFLOW_AUTH_CONFIG_PATH": "`BasicAuth`",
    "MLFLOW_DEFAULT_ARTIFACT_ROOT": "this stack: artifacts are proxied",
    "MLFLOW_SERVE_ARTIFACTS": "this stack: artifacts are proxied",
    "MLFLOW_GUNICORN_OPTS": "a fault: the server is uvicorn",
    "MLFLOW_HOST": "this stack",
    "MLFLOW_PORT": "the prop `port`",
    "MLFLOW_STATIC_PREFIX": "`settings.staticPrefix`",
    "MLFLOW_UVICORN_OPTS": "`settings.logLevel`",
    "MLFLOW_WORKERS": "the prop `workers`",
    "MLFLOW_LOGGING_LEVEL": "`settings.logLevel`",
    "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "`settings.connectionPool`",
    "MLFLOW_SQLALCHEMYSTORE_POOL_RECYCLE": "`settings.connectionPool`",
    "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": "`settings.connectionPool`",
    "MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "`settings.connectionPool`, which counts on a pool",
    "MLFLOW_ENABLE_WORKSPACES": "`workspaces`",
    "MLFLOW_TRACE_ARCHIVAL_CONFIG": "`traceArchival`",
    "MLFLOW_S3_ENDPOINT_URL": "the store",
    "MLFLOW_MYSQL_SSL_CA": "the store",
    "MLFLOW_MYSQL_SSL_CERT": "the store",
    "MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE": "the store, or `extraEnv`",
}
# the server reads them, and none is a secret or opens anything: sizes, times, switches; they go into extraEnv
TUNING = [
    "MLFLOW_WORKSPACE_ARTIFACT_ROOT_CACHE_CAPACITY",
    "MLFLOW_WORKSPACE_ARTIFACT_ROOT_CACHE_TTL_SECONDS",
    "MLFLOW_S3_UPLOAD_EXTRA_ARGS",
    "MLFLOW_S3_EXPECTED_BUCKET_OWNER",
    "MLFLOW_GCS_DOWNLOAD_CHUNK_SIZE",
    "MLFLOW_GCS_UPLOAD_CHUNK_SIZE",
    "MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT",
    "MLFLOW_ARTIFACT_LOCATION_MAX_LENGTH",
    "MLFLOW_SERVER_GRAPHQL_MAX_ROOT_FIELDS",
    "MLFLOW_SERVER_GRAPHQL_MAX_ALIASES",
    "MLFLOW_WEBHOOK_REQUEST_TIMEOUT",
    "MLFLOW_WEBHOOK_DELIVERY_MAX_WORKERS",
    "MLFLOW_WEBHOOK_REQUEST_MAX_RETRIES",
    "MLFLOW_WEBHOOK_CACHE_TTL",
    "MLFLOW_SERVER_JOB_ENABLE_PERIODIC_TASKS",
    "MLFLOW_SERVER_JOB_FLUSH_PERIODIC_LOCKS_ON_STARTUP",
    "MLFLOW_SERVER_JOB_TRANSIENT_ERROR_MAX_RETRIES",
    "MLFLOW_SERVER_JOB_TRANSIENT_ERROR_RETRY_BASE_DELAY",
    "MLFLOW_SERVER_JOB_TRANSIENT_ERROR_RETRY_MAX_DELAY",
    "MLFLOW_SQL_TRACE_ROLLUPS_ENABLED",
    "MLFLOW_TRACE_ROLLUPS_SCHEDULE",
    "MLFLOW_TRACE_ROLLUPS_MAX_PARTITIONS_PER_RUN",
    "MLFLOW_TRACE_ROLLUPS_MAX_WORKERS",
    "MLFLOW_SERVER_JUDGE_INVOKE_MAX_WORKERS",
    "MLFLOW_SERVER_SCORER_INVOKE_BATCH_SIZE",
    "MLFLOW_SERVER_ONLINE_SCORING_MAX_WORKERS",
    "MLFLOW_ONLINE_SCORING_DEFAULT_SESSION_COMPLETION_BUFFER_SECONDS",
    "MLFLOW_ONLINE_SCORING_DEFAULT_TRACE_COMPLETION_BUFFER_SECONDS",
    "MLFLOW_ONLINE_SCORING_MAX_WORKER_THREADS",
    "MLFLOW_JUDGE_MAX_ITERATIONS",
    "MLFLOW_JOB_DEFAULT_EXECUTOR_BACKEND",
    "MLFLOW_JOB_CUSTOM_SCORER_EXECUTOR_BACKEND",
    "MLFLOW_SERVER_JOB_EXECUTION_ENGINE",
    "MLFLOW_SERVER_JOB_DEFAULT_TIMEOUT",
    "MLFLOW_SERVER_JOB_LEASE_TTL",
    "MLFLOW_GATEWAY_ROUTE_TIMEOUT_SECONDS",
    "MLFLOW_GATEWAY_BUDGET_REFRESH_INTERVAL",
    "MLFLOW_MODEL_CATALOG_CACHE_TTL",
    "MLFLOW_ENABLE_MCP_TOOL_DISCOVERY",
    "MLFLOW_CONFIGURE_LOGGING",
    "MLFLOW_TRUNCATE_LONG_VALUES",
    "MLFLOW_DISABLE_SCHEMA_DETAILS",
    "MLFLOW_GENAI_OPTIMIZE_MAX_WORKERS",
    "MLFLOW_TMP_DIR",
    "MLFLOW_HOME",
    "MLFLOW_EXPERIMENTAL_S3_SIGNATURE_VERSION",
]
# read where models are trained, logged, loaded and served: a server has no use for them
CLIENTS = [
    "MLFLOW_ACTIVE_MODEL_ID",
    "MLFLOW_ALIAS_PROMPT_CACHE_TTL_SECONDS",
    "MLFLOW_ALLOW_HTTP_REDIRECTS",
    "MLFLOW_ASYNC_LOGGING_BUFFERING_SECONDS",
    "MLFLOW_ASYNC_LOGGING_THREADPOOL_SIZE",
    "MLFLOW_ASYNC_TRACE_LOGGING_MAX_INTERVAL_MILLIS",
    "MLFLOW_ASYNC_TRACE_LOGGING_MAX_QUEUE_SIZE",
    "MLFLOW_ASYNC_TRACE_LOGGING_MAX_SPAN_BATCH_SIZE",
    "MLFLOW_ASYNC_TRACE_LOGGING_MAX_WORKERS",
    "MLFLOW_ASYNC_TRACE_LOGGING_RETRY_TIMEOUT",
    "MLFLOW_CONDA_CREATE_ENV_CMD",
    "MLFLOW_CONDA_HOME",
    "MLFLOW_CONVERT_MESSAGES_DICT_FOR_LANGCHAIN",
    "MLFLOW_DATABRICKS_ENDPOINT_HTTP_RETRY_TIMEOUT",
    "MLFLOW_DEFAULT_PREDICTION_DEVICE",
    "MLFLOW_DEPLOYMENTS_CONFIG",
    "MLFLOW_DEPLOYMENTS_TARGET",
    "MLFLOW_DEPLOYMENT_CLIENT_HTTP_REQUEST_TIMEOUT",
    "MLFLOW_DEPLOYMENT_ENV",
    "MLFLOW_DEPLOYMENT_FLAVOR_NAME",
    "MLFLOW_DEPLOYMENT_PREDICT_TIMEOUT",
    "MLFLOW_DEPLOYMENT_PREDICT_TOTAL_TIMEOUT",
    "MLFLOW_DFS_TMP",
    "MLFLOW_DISABLE_AGENT_HINT",
    "MLFLOW_DISABLE_DATABRICKS_SDK_FOR_RUN_ARTIFACTS",
    "MLFLOW_DISABLE_ENV_CREATION",
    "MLFLOW_DISABLE_ENV_MANAGER_CONDA_WARNING",
    "MLFLOW_DOCKER_OPENJDK_VERSION",
    "MLFLOW_DOWNLOAD_CHUNK_TIMEOUT",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR",
    "MLFLOW_ENABLE_ASYNC_LOGGING",
    "MLFLOW_ENABLE_ASYNC_TRACE_LOGGING",
    "MLFLOW_ENABLE_DBFS_FUSE_ARTIFACT_REPO",
    "MLFLOW_ENABLE_DB_SDK",
    "MLFLOW_ENABLE_OTEL_GENAI_SEMCONV",
    "MLFLOW_ENABLE_OTLP_EXPORTER",
    "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING",
    "MLFLOW_ENABLE_UC_FUNCTIONS",
    "MLFLOW_ENABLE_UC_NATIVE_MODEL_REGISTRY",
    "MLFLOW_ENABLE_UC_VOLUME_FUSE_ARTIFACT_REPO",
    "MLFLOW_ENFORCE_STDIN_SCORING_SERVER_FOR_SPARK_UDF",
    "MLFLOW_ENV_ROOT",
    "MLFLOW_EXPERIMENT_ID",
    "MLFLOW_EXPERIMENT_NAME",
    "MLFLOW_GATEWAY_CONFIG",
    "MLFLOW_GATEWAY_URI",
    "MLFLOW_GENAI_DISCOVERY_TRIAGE_SAMPLE_SIZE",
    "MLFLOW_GENAI_EVAL_ASYNC_TIMEOUT",
    "MLFLOW_GENAI_EVAL_ENABLE_SCORER_TRACING",
    "MLFLOW_GENAI_EVAL_LLM_TIMEOUT",
    "MLFLOW_GENAI_EVAL_MAX_RETRIES",
    "MLFLOW_GENAI_EVAL_MAX_SCORER_WORKERS",
    "MLFLOW_GENAI_EVAL_MAX_WORKERS",
    "MLFLOW_GENAI_EVAL_PREDICT_RATE_LIMIT",
    "MLFLOW_GENAI_EVAL_SCORER_RATE_LIMIT",
    "MLFLOW_GENAI_EVAL_SKIP_TRACE_VALIDATION",
    "MLFLOW_GENAI_JUDGE_BASE_URL",
    "MLFLOW_GENAI_JUDGE_DEFAULT_MODEL",
    "MLFLOW_GENAI_SIMULATOR_MAX_WORKERS",
    "MLFLOW_GET_TRACE_OTEL_INITIAL_RETRY_INTERVAL_SECONDS",
    "MLFLOW_GET_TRACE_OTEL_MAX_RETRY_INTERVAL_SECONDS",
    "MLFLOW_GET_TRACE_OTEL_RETRY_TIMEOUT_SECONDS",
    "MLFLOW_HTTP_POOL_CONNECTIONS",
    "MLFLOW_HTTP_POOL_MAXSIZE",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR",
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES",
    "MLFLOW_HTTP_REQUEST_TIMEOUT",
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER",
    "MLFLOW_HTTP_TCP_KEEPALIVE",
    "MLFLOW_HTTP_TCP_KEEPALIVE_COUNT",
    "MLFLOW_HTTP_TCP_KEEPALIVE_IDLE",
    "MLFLOW_HTTP_TCP_KEEPALIVE_INTERVAL",
    "MLFLOW_HUGGINGFACE_DEVICE_MAP_STRATEGY",
    "MLFLOW_HUGGINGFACE_DISABLE_ACCELERATE_FEATURES",
    "MLFLOW_HUGGINGFACE_MODEL_MAX_SHARD_SIZE",
    "MLFLOW_HUGGINGFACE_USE_DEVICE_MAP",
    "MLFLOW_HUGGINGFACE_USE_LOW_CPU_MEM_USAGE",
    "MLFLOW_INPUT_EXAMPLE_INFERENCE_TIMEOUT",
    "MLFLOW_KERBEROS_TICKET_CACHE",
    "MLFLOW_KERBEROS_USER",
    "MLFLOW_LOCK_MODEL_DEPENDENCIES",
    "MLFLOW_LOG_MODEL_COMPRESSION",
    "MLFLOW_LOG_UV_FILES",
    "MLFLOW_MAX_TRACES_TO_DISPLAY_IN_NOTEBOOK",
    "MLFLOW_MODELS_WORKERS",
    "MLFLOW_MODEL_ENV_DOWNLOADING_TEMP_DIR",
    "MLFLOW_MULTIPART_DOWNLOAD_CHUNK_SIZE",
    "MLFLOW_MULTIPART_DOWNLOAD_MINIMUM_FILE_SIZE",
    "MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE",
    "MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE",
    "MLFLOW_NOTEBOOK_TRACE_RENDERER_BASE_URL",
    "MLFLOW_OPENAI_SECRET_SCOPE",
    "MLFLOW_PRINT_MODEL_URLS_ON_CREATION",
    "MLFLOW_PROMPT_CACHE_MAX_SIZE",
    "MLFLOW_PYARROW_EXTRA_CONF",
    "MLFLOW_PYTHON_CLIENT",
    "MLFLOW_RECORD_ENV_VARS_IN_MODEL_LOGGING",
    "MLFLOW_REGISTRY_DIR",
    "MLFLOW_REGISTRY_URI",
    "MLFLOW_REQUIREMENTS_INFERENCE_RAISE_ERRORS",
    "MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT",
    "MLFLOW_RUN_CONTEXT",
    "MLFLOW_RUN_ID",
    "MLFLOW_SAGEMAKER_DEPLOY_IMG_URL",
    "MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT",
    "MLFLOW_SEARCH_TRACES_MAX_THREADS",
    "MLFLOW_SKIP_PIP_REQUIREMENTS_CHECK",
    "MLFLOW_SKIP_SIGNATURE_CHECK_FOR_UC_REGISTRY_MIGRATION",
    "MLFLOW_SQL_WAREHOUSE_AUTO_START",
    "MLFLOW_SQL_WAREHOUSE_AUTO_START_TIMEOUT_SECONDS",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT",
    "MLFLOW_SYSTEM_METRICS_NODE_ID",
    "MLFLOW_SYSTEM_METRICS_SAMPLES_BEFORE_LOGGING",
    "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL",
    "MLFLOW_TRACE_BUFFER_MAX_SIZE",
    "MLFLOW_TRACE_BUFFER_TTL_SECONDS",
    "MLFLOW_TRACE_ENABLE_OTLP_DUAL_EXPORT",
    "MLFLOW_TRACE_EXTRACT_ATTACHMENTS",
    "MLFLOW_TRACE_MAX_ATTACHMENT_SIZE",
    "MLFLOW_TRACE_PROPAGATE_TO_OTEL_CONTEXT",
    "MLFLOW_TRACE_SAMPLING_RATIO",
    "MLFLOW_TRACE_TIMEOUT_CHECK_INTERVAL_SECONDS",
    "MLFLOW_TRACE_TIMEOUT_SECONDS",
    "MLFLOW_TRACE_USE_ISOLATED_RANDOM_ID_GENERATOR",
    "MLFLOW_TRACING_DESTINATION",
    "MLFLOW_TRACING_SQL_WAREHOUSE_ID",
    "MLFLOW_TRACKING_AUTH",
    "MLFLOW_TRACKING_AWS_SIGV4",
    "MLFLOW_TRACKING_CLIENT_CERT_PATH",
    "MLFLOW_TRACKING_DIR",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_SERVER_CERT_PATH",
    "MLFLOW_TRACKING_TOKEN",
    "MLFLOW_TRACKING_URI",
    "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_USE_BATCH_SPAN_PROCESSOR",
    "MLFLOW_USE_DATABRICKS_SDK_MODEL_ARTIFACTS_REPO_FOR_UC",
    "MLFLOW_USE_DEFAULT_TRACER_PROVIDER",
    "MLFLOW_UV_AUTO_DETECT",
    "MLFLOW_VERSION_PROMPT_CACHE_TTL_SECONDS",
    "MLFLOW_WHEELED_MODEL_PIP_DOWNLOAD_OPTIONS",
    "MLFLOW_WORKSPACE",
]
FLAGS = {
    "--backend-store-uri": "Set: the store. With a password in it, by `MLFLOW_BACKEND_STORE_URI`.",
    "--read-replica-backend-store-uri": "A fault: `readReplica` of the store.",
    "--registry-store-uri": "Yours, or `registryStore`; a password in it is a fault.",
    "--default-artifact-root": "Set: artifacts are proxied.",
    "--serve-artifacts": "Set: artifacts are proxied. `--no-serve-artifacts` is a fault.",
    "--artifacts-only": "A fault: there would be no experiments and runs.",
    "--artifacts-destination": "Set: the store.",
    "--host": "Set: all addresses of the pod, whose NetworkPolicy says who gets to them.",
    "--port": "Set: the prop `port`.",
    "--workers": "Managed: the prop `workers`.",
    "--static-prefix": "Managed: `settings.staticPrefix`.",
    "--allowed-hosts": "Set: `settings.allowedHosts`, `settings.deriveAllowedHosts`.",
    "--cors-allowed-origins": "Managed: `settings.corsAllowedOrigins`.",
    "--disable-security-middleware": "A fault: any web page could use the server.",
    "--x-frame-options": "Managed: `settings.xFrameOptions`.",
    "--gunicorn-opts": "A fault: with `--allowed-hosts` MLflow runs on uvicorn only.",
    "--waitress-opts": "A fault: with `--allowed-hosts` MLflow runs on uvicorn only.",
    "--uvicorn-opts": "Yours; a password in it is a fault.",
    "--dev": "A fault: for developers of MLflow.",
    "--expose-prometheus": "Managed by `Metrics`; yours without it.",
    "--app-name": "Set by `BasicAuth`; `basic-auth` by hand is a fault. Another app is yours.",
    "--trace-archival-config": "Yours, or `traceArchival`.",
    "--secrets-cache-ttl": "Yours.",
    "--secrets-cache-max-size": "Yours.",
    "--workspace-store-uri": "Yours; a password in it is a fault.",
    "--enable-workspaces": "Yours, or `workspaces`.",
    "--help": "No setting.",
}
DECIDED = {**SECRETS, **DOORS, **MANAGED, **dict.fromkeys((*TUNING, *CLIENTS), "")}
# names in sources that are no settings: placeholders in texts, and what a server tells its own processes
NO_SETTINGS = ("MLFLOW_ENV_VAR", "MLFLOW_SERVER_PID")


def declared() -> dict[str, str]:
    """The settings that MLflow declares, by the name of their constant, each with its default."""
    kinds = (environment._EnvironmentVariable, environment._BooleanEnvironmentVariable)
    return {name: repr(value.default) for name, value in vars(environment).items() if isinstance(value, kinds)}


def in_sources() -> set[str]:
    """The settings that only stand in the modules of the server."""
    files = [file for part in SERVER for path in [PACKAGE / part] for file in (path.rglob("*.py") if path.is_dir() else [path])]
    names = {name for file in files for name in re.findall(r"[\"'](_?MLFLOW_[A-Z0-9_]+)[\"']", file.read_text(encoding="utf-8"))}
    variables = {value.name for value in vars(environment).values() if isinstance(value, environment._EnvironmentVariable)}
    return names - variables - set(NO_SETTINGS)


def flags() -> list[str]:
    return [max(option.opts, key=len) for option in cli.commands["server"].params]


def undecided() -> list[str]:
    names = [name for name in sorted({*declared(), *in_sources()}) if name not in DECIDED and not name.startswith("_")]
    return [*names, *(flag for flag in flags() if flag not in FLAGS)]


def stale() -> list[str]:
    """What is decided about, and is in this MLflow no more."""
    known = {*declared(), *in_sources()}
    return [name for name in DECIDED if name not in known] + [flag for flag in FLAGS if flag not in (*flags(), "--help")]


def page() -> str:
    defaults = declared()

    def table(group: dict[str, str], *, default: bool = True) -> list[str]:
        head = "| Setting | MLflow's default | Here |\n| --- | --- | --- |" if default else "| Flag | Here |\n| --- | --- |"
        rows = [f"| `{name}` |{f' {shown(defaults.get(name))} |' if default else ''} {text} |" for name, text in group.items()]
        return [head, *rows, ""]

    def listed(names: list[str]) -> list[str]:
        return [", ".join(f"`{name}`" for name in sorted(names)) + ".", ""]

    internal = [name for name in {*defaults, *in_sources()} if name.startswith("_") and name not in DECIDED]
    managed = {
        name: f"Managed by {text}." if not text.startswith("a fault") else f"{text[0].upper()}{text[1:]}."
        for name, text in MANAGED.items()
    }
    return "\n".join(
        [
            "# Settings of MLflow, and what this stack does about each",
            "",
            f"Of MLflow {VERSION}: all that `mlflow/environment_variables.py` declares, what the modules of the server read besides, and the",
            "flags of `mlflow server`. This page is written by `python scripts/mlflow_settings.py`, and the suite of real servers fails where",
            "MLflow has a setting that is not here. *Yours* means: not set, and free to be set with `extraEnv` or `extraArgs` of the tracking server.",
            "",
            "## Secrets, and what a process makes up for itself",
            "",
            *table(SECRETS),
            "## Doors: what is insecure when it is unset, or when it is set",
            "",
            *table(DOORS),
            "## Managed by a prop",
            "",
            *table(managed),
            "## Flags of `mlflow server`",
            "",
            *table(FLAGS, default=False),
            "## Sizes, times and switches",
            "",
            "The server reads them. None is a secret, is made up, or opens anything; all are yours.",
            "",
            *listed(TUNING),
            "## For clients",
            "",
            "Read where models are trained, logged, loaded and served. A server has no use for them.",
            "",
            *listed(CLIENTS),
            "## Internal",
            "",
            "MLflow sets them itself. In `extraEnv` they are faults, by the underscore in front.",
            "",
            *listed(internal),
        ]
    )


def shown(default: str | None) -> str:
    return "none" if default in (None, "None") else f"`{default}`"


def main(arguments: list[str]) -> int:
    problems = [f"{name}: nobody has decided about it" for name in undecided()]
    problems += [f"{name}: MLflow {VERSION} does not have it" for name in stale()]
    if arguments != ["--check"]:
        PAGE.write_text(page(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != page():
        problems.append(f"{PAGE.name} is not up to date: {inspect.cleandoc(__doc__ or '').splitlines()[2].strip()}")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
