#!/bin/bash
# copy-objects.sh save: what is new in the bucket to the destination of the backup.
# copy-objects.sh restore: the objects of a backup into the bucket.
# The image has bash, coreutils and mc only. Where the stores are, and their keys, is in the files of $MC_CONFIG_DIR.
set -euo pipefail
trap 'exit 143' TERM
ARTIFACTS='' BACKUP=''
while IFS='=' read -r name root; do
  case $name in ARTIFACTS) ARTIFACTS=$root ;; BACKUP) BACKUP=$root ;; esac
done <"$MC_CONFIG_DIR/roots"
mapfile -t flags <"$MC_CONFIG_DIR/flags"
started=$SECONDS

# mirror FROM TO [FLAG...]: a line for each object would fill the log, errors are told. mc takes a place without objects for a mistake
mirror() {
  [ ! -e "$HANDOVER_FOLDER/nothing" ] || { echo 'There is nothing to copy'; return; }
  mc mirror --quiet --retry "${flags[@]}" "${@:3}" "$1" "$2" >/dev/null & wait $!
}

case ${1-} in
  save)
    mirror "$ARTIFACTS" "${BACKUP}objects/" --exclude '.mlflow-preflight/*' --exclude 'before-restore-*'
    echo "Copied what is new in $((SECONDS - started)) s" ;;
  restore)
    mirror "${BACKUP}objects/" "$ARTIFACTS" --overwrite
    # what was changed or deleted behind the backup, from the last change back to the first
    while IFS= read -r name; do
      [ -n "$name" ] || continue
      echo "Taking back what the run $name found changed or gone"
      mc cp --quiet --recursive "${flags[@]}" "${BACKUP}kept/$name/" "$ARTIFACTS" >/dev/null & wait $!
    done <"$HANDOVER_FOLDER/kept"
    echo "Copied the objects in $((SECONDS - started)) s" ;;
  *) echo "ERROR: $0 save|restore" >&2; exit 1 ;;
esac
