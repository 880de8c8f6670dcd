# Firewall and proxy. Under a root folder that is not / the files are written and checked, as far as
# the tools are there, and nothing is started.
# Arguments: root folder, release folder, SSH port (0: no firewall), domain ('': no proxy).
set -eu
root=${1%/} release=$2 ssh_port=$3 domain=$4
PATH=$PATH:/usr/sbin:/sbin
umask 022
has() { command -v "$1" >/dev/null 2>&1; }

if [ "$ssh_port" != 0 ]; then
  rules=$root/etc/booktape/firewall.nft
  sed "s/tcp dport { 22, 80, 443 }/tcp dport { $ssh_port, 80, 443 }/" \
    "$release/infra/deploy/firewall.nft" >"$rules.new"
  if has nft; then nft -c -f "$rules.new"; fi
  mv "$rules.new" "$rules"
  if [ "$root" = '' ]; then
    cp "$release/infra/systemd/booktape-firewall.service" /etc/systemd/system/
    systemctl daemon-reload
    systemctl enable --quiet booktape-firewall.service
    systemctl reload-or-restart booktape-firewall.service
  fi
fi

if [ "$domain" != '' ]; then
  printf 'DOMAIN=%s\nCONSOLE_HOSTS=%s\n' "$domain" "$domain" >"$root/etc/booktape/domain.env"
  mkdir -p "$root/etc/caddy"
  file=$root/etc/caddy/Caddyfile
  if [ -f "$file" ] && [ ! -f "$file.before-booktape" ] && ! grep -q GATEWAY_UPSTREAM "$file"; then
    cp -p "$file" "$file.before-booktape"
  fi
  if has caddy; then
    DOMAIN=$domain caddy validate --adapter caddyfile --config "$release/infra/caddy/Caddyfile" \
      >/dev/null 2>&1 || { echo "Caddy refuses the Caddyfile for $domain." >&2; exit 1; }
  fi
  cp "$release/infra/caddy/Caddyfile" "$file"
  if [ "$root" = '' ]; then
    mkdir -p /etc/systemd/system/caddy.service.d
    printf '[Service]\nEnvironmentFile=/etc/booktape/domain.env\nEnvironmentFile=-/etc/booktape/caddy.env\n' \
      >/etc/systemd/system/caddy.service.d/booktape.conf
    systemctl daemon-reload
    systemctl enable --quiet caddy.service
    # A restart cuts every socket that goes through it: only where something is new.
    seen=$root/opt/booktape/deploy/proxy.sha256
    now=$(cat "$file" "$root/etc/booktape/domain.env" "$root/etc/booktape/caddy.env" 2>/dev/null | sha256sum)
    if [ "$(cat "$seen" 2>/dev/null)" != "$now" ] || ! systemctl -q is-active caddy.service; then
      systemctl restart caddy.service
      printf '%s\n' "$now" >"$seen"
    fi
  fi
fi
