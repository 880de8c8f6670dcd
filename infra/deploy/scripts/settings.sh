# Replaces a file of the settings by the input, as a whole; the one before it is kept.
# Arguments: folder, name, mode.
set -eu
umask 077
path=$1/$2
cat >"$path.new"
chmod "$3" "$path.new"
if [ -f "$path" ] && ! cmp -s "$path" "$path.new"; then cp -p "$path" "$path.before"; fi
mv "$path.new" "$path"
