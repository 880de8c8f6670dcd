# Holds the machine's lock while its input is open: one deploy at a time. The kernel frees it when
# this shell ends, however that comes.
# Arguments: lock file.
set -eu
mkdir -p "$(dirname "$1")"
exec 9>>"$1"
if ! flock -n 9; then
  echo "busy $(tail -n 1 "$1")"
  exit 75
fi
echo "process $$ of ${SSH_CLIENT%% *} since $(date -u +%Y-%m-%dT%H:%M:%SZ)" >"$1"
echo locked
cat >/dev/null
