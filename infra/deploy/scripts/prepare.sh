# Packages, user and folders. Can be repeated.
# Arguments: root folder, then the packages that are missing.
set -eu
root=${1%/}
shift
umask 022
if [ $# -gt 0 ]; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get -q -o DPkg::Lock::Timeout=300 update >/dev/null
  apt-get -q -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@" >/dev/null
fi
if [ "$root" = '' ] && ! id -u booktape >/dev/null 2>&1; then
  useradd --system --user-group --home-dir /var/lib/booktape --shell /usr/sbin/nologin booktape
fi
mkdir -p "$root/opt/booktape/releases" "$root/opt/booktape/dependencies" \
  "$root/opt/booktape/deploy" "$root/etc/booktape" "$root/var/log/booktape"
[ -d "$root/var/lib/booktape" ] || mkdir -p -m 750 "$root/var/lib/booktape"
[ "$root" != '' ] || chown booktape:booktape /var/lib/booktape
