# Unpacks a compressed archive from the input into a folder that appears whole or not at all.
# Arguments: folder; for a release also the folder of its dependencies, by its name.
set -eu
umask 022
dir=$1
part=$(dirname "$dir")/.$(basename "$dir").part
rm -rf "$part"
mkdir -p "$part"
trap 'rm -rf "$part"' EXIT
tar -xzf - -C "$part" --no-same-owner --no-same-permissions
if [ $# -gt 1 ]; then
  ln -s "../../dependencies/$2/node_modules" "$part/node_modules"
  printf '%s\n' "$2" >"$part/.booktape-release"
fi
rm -rf "$dir"
mv -T "$part" "$dir"
sync -f "$dir" 2>/dev/null || true
