#!/bin/bash
# Applies the manifests in DIR, and not those in its folders, then waits until what they run is ready, or tells why it is not:
#
#   apply.sh DIR
#
# APPLY_TIMEOUT is how many seconds to wait, 600 unless set. Nothing is deleted that is no longer in DIR.
#
# Server-side, because a change that somebody made by hand is then a conflict with a name, and is not undone silently;
# and because no copy of the manifests, with the Secrets of a development app, goes into an annotation. The manager is
# called "kubectl", the one name for which the server takes over what plain "kubectl apply" made.
set -euo pipefail
[ $# = 1 ] || { echo "usage: apply.sh DIR" >&2; exit 2; }
dir=$1 timeout=${APPLY_TIMEOUT:-600}
manifests=(--filename "$dir")
server_side=(--server-side --field-manager kubectl)

fail() { echo "apply.sh: $*" >&2; exit 1; }
[ -n "$(find "$dir" -maxdepth 1 -name '*.yaml' -print -quit)" ] || fail "there are no manifests in $dir"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Objects and how many lines of them change. The lines stay out of the log: a review has shown them.
summary() {
  awk '
    /^diff / { name = $NF; sub(/.*\//, "", name); names[++n] = name; next }
    /^(---|\+\+\+) / { next }
    /^\+/ { added[name]++ }
    /^-/ { removed[name]++ }
    END { for (i = 1; i <= n; i++) printf "  %s (+%d -%d)\n", names[i], added[names[i]], removed[names[i]] }
  ' "$1"
}

echo "=== What changes in the cluster"
code=0
KUBECTL_EXTERNAL_DIFF='diff -u -N' kubectl diff "${server_side[@]}" "${manifests[@]}" >"$scratch/diff" 2>"$scratch/error" || code=$?
summary "$scratch/diff"
case $code in
  0) echo "  nothing" ;;
  1) ;;
  # "kubectl diff" cannot look into a namespace that is not there yet; anything else stops the apply as well
  *) echo "  not all of it can be told:"; sed 's/^/  /' "$scratch/error" ;;
esac

echo "=== Apply"
kubectl apply "${server_side[@]}" "${manifests[@]}" || fail "kubectl could not apply the manifests in $dir, see above"

# state KIND NAMESPACE NAME: prints "ready", "failed", or nothing where it is still under way.
state() {
  local conditions
  case $1 in
    Job)
      conditions=$(kubectl get job "$3" --namespace "$2" --ignore-not-found \
        --output jsonpath='found {range .status.conditions[?(@.status=="True")]}{.type} {end}') || return 0
      case " $conditions " in
        *' Failed '*) echo failed ;;
        # one that is gone was removed after its end (ttlSecondsAfterFinished)
        *' Complete '* | '  ') echo ready ;;
      esac ;;
    *)
      if kubectl rollout status "${1,,}/$3" --namespace "$2" --timeout 1s >"$scratch/status" 2>&1; then
        echo ready
      elif grep -q 'exceeded its progress deadline' "$scratch/status"; then
        echo failed
      fi ;;
  esac
}

# explain KIND NAMESPACE NAME: what the object says, and what its pods that are not ready say.
# shellcheck disable=SC2016 # the variables are those of the templates
explain() {
  local kind=${1,,} namespace=$2 name=$3 selector pods pod
  echo "=== $1 $namespace/$name is not ready"
  kubectl get "$kind" "$name" --namespace "$namespace" --output go-template='
{{- range .status.conditions}}{{if .message}}{{.type}}={{.status}}: {{.message}}{{"\n"}}{{end}}{{end}}' || true
  kubectl events --for "$kind/$name" --types Warning --namespace "$namespace" 2>/dev/null || true
  selector=$(kubectl get "$kind" "$name" --namespace "$namespace" --output go-template='
{{- range $key, $value := .spec.selector.matchLabels}}{{$key}}={{$value}},{{end}}') || return 0
  pods=$(kubectl get pods --namespace "$namespace" --selector "${selector%,}" --output go-template='
{{- range .items}}{{$ready := "False"}}
{{- range .status.conditions}}{{if eq .type "Ready"}}{{$ready = .status}}{{end}}{{end}}
{{- if and (ne $ready "True") (ne .status.phase "Succeeded")}}{{.metadata.name}}{{"\n"}}{{end}}{{end}}') || return 0
  for pod in $pods; do
    echo "--- Pod $pod"
    kubectl get pod "$pod" --namespace "$namespace" --output go-template='
{{- define "end"}}exit code {{.exitCode}}{{with .reason}} ({{.}}){{end}}{{with .message}}: {{.}}{{end}}{{end -}}
{{- range .status.conditions}}{{if and (eq .status "False") .message}}{{.type}}: {{.message}}{{"\n"}}{{end}}{{end}}
{{- define "containers"}}{{range .}}
{{- $name := .name}}
{{- with .state.waiting}}{{$name}} waits: {{.reason}}{{with .message}}: {{.}}{{end}}{{"\n"}}{{end}}
{{- with .state.terminated}}{{if .exitCode}}{{$name}} ended with {{template "end" .}}{{"\n"}}{{end}}{{end}}
{{- with .lastState.terminated}}{{$name}} ended before with {{template "end" .}}{{"\n"}}{{end}}{{end}}{{end}}
{{- template "containers" .status.initContainerStatuses}}{{template "containers" .status.containerStatuses}}' || true
    kubectl logs "$pod" --namespace "$namespace" --all-containers --ignore-errors --prefix --tail 20 || true
  done
}

echo "=== Wait"
columns=KIND:.kind,NAMESPACE:.metadata.namespace,NAME:.metadata.name,STRATEGY:.spec.updateStrategy.type
kubectl get "${manifests[@]}" --ignore-not-found --no-headers --output "custom-columns=$columns" >"$scratch/objects" </dev/null
pending=()
while read -r kind namespace name strategy; do
  case $kind:$strategy in
    *:OnDelete) echo "not waited for, since its pods change when they are deleted: $kind $namespace/$name" ;;
    Deployment:* | StatefulSet:* | DaemonSet:* | Job:*) pending+=("$kind $namespace $name") ;;
  esac
done <"$scratch/objects"

failed=()
SECONDS=0
while [ ${#pending[@]} -gt 0 ] && [ ${#failed[@]} = 0 ] && [ $SECONDS -lt "$timeout" ]; do
  waiting=()
  for object in "${pending[@]}"; do
    read -r kind namespace name <<<"$object"
    case $(state "$kind" "$namespace" "$name") in
      ready) echo "ready after $SECONDS s: $kind $namespace/$name" ;;
      failed) failed+=("$object") ;;
      *) waiting+=("$object") ;;
    esac
  done
  pending=("${waiting[@]}")
  [ ${#pending[@]} = 0 ] || [ ${#failed[@]} -gt 0 ] || sleep 1
done

[ ${#failed[@]} -gt 0 ] || [ ${#pending[@]} -gt 0 ] || { echo "Everything is ready"; exit 0; }
culprits=("${failed[@]}" "${pending[@]}")
for object in "${culprits[@]}"; do
  read -r kind namespace name <<<"$object"
  explain "$kind" "$namespace" "$name"
done
fail "not ready after $SECONDS s: $(printf '%s, ' "${culprits[@]}" | sed 's/, $//')"
