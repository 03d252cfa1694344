#!/bin/bash
# Makes the bucket the way it is described, and a user who may use this bucket and nothing else. Run again, it changes nothing.
# With "retire" it removes the users of other generations, whose names are in the file "former".
# The image has bash, coreutils and mc only; mc reads the administrator's credentials from config.json.
set -euo pipefail
export MC_CONFIG_DIR=/tmp/mc
mkdir -p "$MC_CONFIG_DIR"
cp "$CREDENTIALS_DIR/config.json" "$MC_CONFIG_DIR/config.json"

reason=
until answer=$(mc admin info store 2>&1 >/dev/null); do
  answer=${answer//$'\n'/ } answer=${answer//$'\t'/}
  case $answer in
    *'Access Key Id you provided does not exist'* | *'signature we calculated does not match'* | *'Access Denied'*)
      # a pod with what the Secret has now may be on its way
      if [ $SECONDS -ge "${FOLLOW_SECONDS:-120}" ]; then
        echo "ERROR: the artifact store at $STORE_URL refuses the root user in Secret \"$ADMIN_SECRET_NAME\":" \
          "the server was started with other values. Restart it: kubectl --namespace $(<"$CREDENTIALS_DIR/namespace") rollout restart statefulset/$STORE_NAME" >&2
        exit 1
      fi ;;
  esac
  if [ "$answer" != "$reason" ]; then reason=$answer; echo "Waiting for the artifact store at $STORE_URL: $reason"; fi
  [ $SECONDS -lt "${DEADLINE_SECONDS:=600}" ] || { echo "ERROR: gave up after $DEADLINE_SECONDS s: $reason" >&2; exit 1; }
  sleep 1
done

if [ "${1:-}" = retire ]; then
  while read -r former; do
    if ! answer=$(mc admin user rm store "$former" 2>&1 >/dev/null); then
      case $answer in *'user does not exist'*) ;; *) echo "$answer" >&2; exit 1 ;; esac
    fi
    echo "User \"$former\" of another generation is removed"
  done <"$CREDENTIALS_DIR/former"
  exit
fi

# who has the keys of a user may change its secret and make further keys, which outlive a rotation, unless that is denied
cat >/tmp/policy.json <<JSON
{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
      "Resource": ["arn:aws:s3:::$BUCKET"]
    },
    {
      "Effect": "Allow",
      "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
      "Resource": ["arn:aws:s3:::$BUCKET/*"]
    },
    {
      "Effect": "Deny",
      "Action": [
        "admin:CreateUser",
        "admin:CreateServiceAccount",
        "admin:UpdateServiceAccount",
        "admin:RemoveServiceAccount",
        "admin:ListServiceAccounts"
      ]
    }
  ]
}
JSON
username=$(<"$CREDENTIALS_DIR/user.username")
# The Secret of the user was deleted or emptied: pods go on with the user that they know, and the next ones have another.
if [ -f "$CREDENTIALS_DIR/user.other" ]; then
  if answer=$(mc admin user info store "$username" 2>&1 >/dev/null); then mv "$CREDENTIALS_DIR/user.other" "$CREDENTIALS_DIR/user.username"
  else
    case $answer in *'user does not exist'*) rm "$CREDENTIALS_DIR/user.other" ;; *) echo "$answer" >&2; exit 1 ;; esac
  fi
  username=$(<"$CREDENTIALS_DIR/user.username")
fi
mc mb --quiet --ignore-existing --region "$REGION" "store/$BUCKET" >/dev/null
mc anonymous set none "store/$BUCKET" >/dev/null

case ${VERSIONING:-} in
  # the tracking server checks the store four times a minute with an object that it deletes again
  true) mc version enable --excluded-prefixes "$UNVERSIONED_PREFIX" "store/$BUCKET" >/dev/null ;;
  # in a bucket that never had versions, suspending them would make every delete leave a marker behind
  false)
    versioning=$(mc version info --json "store/$BUCKET")
    case $versioning in *'"Enabled"'*) mc version suspend "store/$BUCKET" >/dev/null ;; esac ;;
esac
if [ -n "${LIFECYCLE:-}" ]; then
  printf '%s' "$LIFECYCLE" | mc ilm rule import "store/$BUCKET" >/dev/null
elif ! answer=$(mc ilm rule rm --all --force "store/$BUCKET" 2>&1 >/dev/null); then
  case $answer in *'lifecycle configuration does not exist'*) ;; *) echo "$answer" >&2; exit 1 ;; esac
fi
if [ -n "${QUOTA_BYTES:-}" ]; then
  mc quota set "store/$BUCKET" --size "$QUOTA_BYTES" >/dev/null
else
  mc quota clear "store/$BUCKET" >/dev/null
fi

# mc asks for name and secret on standard input when they are no arguments
printf '%s\n%s\n' "$username" "$(<"$CREDENTIALS_DIR/user.password")" | mc admin user add store >/dev/null
mc admin policy create store "$POLICY" /tmp/policy.json >/dev/null
mc admin policy attach store "$POLICY" --user "$username" >/dev/null
echo "Bucket \"$BUCKET\" and its user are ready"
