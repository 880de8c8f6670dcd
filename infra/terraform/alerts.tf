# What the machine cannot say of itself any more. Alerts on the data come from Prometheus
# (infra/prometheus).
locals {
  alerts = {
    cpu    = { type = "v1/insights/droplet/cpu", limit = 90, window = "30m", what = "CPU above 90 %: latencies grow, the tape gets longer" }
    memory = { type = "v1/insights/droplet/memory_utilization_percent", limit = 90, window = "10m", what = "Memory above 90 %" }
    disk   = { type = "v1/insights/droplet/disk_utilization_percent", limit = 80, window = "10m", what = "Disk above 80 %: a full disk stops the recording" }
  }
}

resource "digitalocean_monitor_alert" "droplet" {
  for_each = length(var.alert_emails) > 0 ? local.alerts : {}

  description = "${var.name}: ${each.value.what}"
  type        = each.value.type
  compare     = "GreaterThan"
  value       = each.value.limit
  window      = each.value.window
  entities    = [digitalocean_droplet.main.id]
  enabled     = true

  alerts {
    email = var.alert_emails
  }
}

# From outside: TLS, proxy, gateway and Postgres in one request.
resource "digitalocean_uptime_check" "health" {
  name    = var.name
  target  = "https://${local.fqdn}/health"
  type    = "https"
  regions = ["eu_west", "us_east"]
}

resource "digitalocean_uptime_alert" "health" {
  for_each = length(var.alert_emails) > 0 ? {
    down        = { type = "down", comparison = null, limit = null, period = "3m" }
    certificate = { type = "ssl_expiry", comparison = "less_than", limit = 14, period = "2m" }
  } : {}

  name       = "${var.name} ${each.key}"
  check_id   = digitalocean_uptime_check.health.id
  type       = each.value.type
  comparison = each.value.comparison
  threshold  = each.value.limit
  period     = each.value.period

  notifications {
    email = var.alert_emails
  }
}
