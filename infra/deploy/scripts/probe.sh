# Prints what is there, a NAME=VALUE line each. Changes nothing.
# Arguments: root folder, with or without the slash at its end.
set -u
root=${1%/}
say() { printf '%s=%s\n' "$1" "$2"; }
has() { command -v "$1" >/dev/null 2>&1 && echo yes || echo no; }
PATH=$PATH:/usr/sbin:/sbin

say uid "$(id -u)"
as_root=
if [ "$(id -u)" = 0 ]; then
  say sudo yes
elif sudo -n true 2>/dev/null; then
  say sudo yes
  as_root='sudo -n'
else
  say sudo no
fi
[ "$root" = '' ] || as_root=
if [ -r /etc/os-release ]; then
  say os "$(. /etc/os-release; echo "${ID:-} ${ID_LIKE:-}")"
  say os_name "$(. /etc/os-release; echo "${PRETTY_NAME:-unknown}")"
fi
say kernel "$(uname -s)"
say arch "$(uname -m)"
say libc "$(getconf GNU_LIBC_VERSION 2>/dev/null)"
say systemd "$([ -d /run/systemd/system ] && echo yes || echo no)"
for tool in tar gzip flock apt-get nft caddy; do say "has_$tool" "$(has $tool)"; done
say domain "$(sed -n 's/^DOMAIN=//p' "$root/etc/booktape/domain.env" 2>/dev/null)"
say user "$(id -u booktape >/dev/null 2>&1 && echo yes || echo no)"
say server "$(echo "${SSH_CONNECTION:-}" | cut -d' ' -f3,4)"

# Of the nearest folder that exists.
for name in opt/booktape var/lib/booktape; do
  dir=$root/$name
  while [ ! -d "$dir" ]; do dir=$(dirname "$dir"); done
  say "free_kib $name" "$(df -Pk "$dir" | awk 'NR == 2 { print $4 }')"
done
for link in current previous; do
  say "$link" "$(basename "$(readlink "$root/opt/booktape/$link" 2>/dev/null)" 2>/dev/null)"
done
for mark in "$root"/opt/booktape/releases/*/.booktape-release; do
  [ -f "$mark" ] && say release "$(basename "$(dirname "$mark")")"
done
for dir in "$root"/opt/booktape/dependencies/*/; do
  [ -d "$dir" ] && say dependencies "$(basename "$dir")"
done
$as_root sh -c 'for file in "$1"/etc/booktape/*; do
  [ -f "$file" ] && sha256sum "$file"
done' sh "$root" 2>/dev/null | while read -r sum path; do
  say "file $(basename "$path")" "$sum"
done
say end yes
