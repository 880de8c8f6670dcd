#!/bin/sh
# Installs from a bundle (`npx booktape bundle`) on the machine itself, as root: for cloud-init, and
# for machines that no ssh reaches. Does what `npx booktape deploy` does, by the same scripts, and
# can be repeated; the next bundle is an upgrade without a gap.
# Settings are expected in etc/booktape: booktape.env, and gateway.env for the gateway.
# Usage: install.sh [--root DIR] [--domain NAME] [--name NAME] [--no-firewall]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=/ domain= name= ssh_port=22 init=systemd
while [ $# -gt 0 ]; do
  case $1 in
    --root) root=$2; init=none; shift 2 ;;
    --domain) domain=$2; shift 2 ;;
    --name) name=$2; shift 2 ;;
    --no-firewall) ssh_port=0; shift ;;
    *) echo "Unknown argument: $1" >&2; exit 2 ;;
  esac
done
base=${root%/}
[ -f "$base/etc/booktape/booktape.env" ] || {
  echo "$base/etc/booktape/booktape.env is missing." >&2
  exit 1
}
release=$(cat "$here/release.name") dependencies=$(cat "$here/dependencies.name")
PATH=$PATH:/usr/sbin:/sbin
set --
if [ "$init" = systemd ]; then
  command -v nft >/dev/null || [ "$ssh_port" = 0 ] || set -- "$@" nftables
  command -v caddy >/dev/null || [ "$domain" = '' ] || set -- "$@" caddy
fi
sh "$here/prepare.sh" "$root" "$@"
dir=$base/opt/booktape
[ -d "$dir/dependencies/$dependencies" ] ||
  sh "$here/receive.sh" "$dir/dependencies/$dependencies" <"$here/dependencies.tar.gz"
[ -f "$dir/releases/$release/.booktape-release" ] ||
  sh "$here/receive.sh" "$dir/releases/$release" "$dependencies" <"$here/release.tar.gz"
sh "$here/network.sh" "$root" "$dir/releases/$release" "$ssh_port" "$domain"
set -- activate "$release" --root "$root" --init "$init"
[ "$name" = '' ] || set -- "$@" --name "$name"
exec "$dir/releases/$release/node_modules/.bin/node" "$dir/releases/$release/infra/cli/main.ts" "$@"
