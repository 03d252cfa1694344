#!/bin/bash
# Checks the manifests in DIR against the schemas of a Kubernetes version, unknown fields included:
#
#   validate.sh DIR [KUBERNETES_VERSION]
#
# A kind without a schema is an error, since a typo in "kind" or "apiVersion" would pass otherwise. For CRDs there are
#   KUBECONFORM_SKIP             kinds that are not checked: Certificate,monitoring.coreos.com/v1/ServiceMonitor
#   KUBECONFORM_SCHEMA_LOCATION  where schemas are, one a line: "default" (on the internet), a folder, or a template
set -euo pipefail
[ $# = 1 ] || [ $# = 2 ] || { echo "usage: validate.sh DIR [KUBERNETES_VERSION]" >&2; exit 2; }
dir=$1 version=${2:-1.36.3}

fail() { echo "validate.sh: $*" >&2; exit 1; }
command -v kubeconform >/dev/null || fail "kubeconform is not on PATH: go install github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0"
# kubeconform calls an empty folder valid
[ -n "$(find "$dir" -name '*.yaml' -print -quit)" ] || fail "there are no manifests in $dir"

options=(-strict -summary -kubernetes-version "${version#v}")
while IFS= read -r location; do
  [ -z "$location" ] || options+=(-schema-location "$location")
done <<<"${KUBECONFORM_SCHEMA_LOCATION:-}"
if [ -n "${KUBECONFORM_SKIP:-}" ]; then
  options+=(-skip "$KUBECONFORM_SKIP")
  echo "Not checked: $KUBECONFORM_SKIP"
fi
kubeconform "${options[@]}" "$dir" ||
  fail "the manifests are not valid for Kubernetes $version; a kind without a schema goes into KUBECONFORM_SKIP, or its schema into KUBECONFORM_SCHEMA_LOCATION"
