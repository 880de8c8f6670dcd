output "url" {
  description = "The console; the gateway answers at /sql and /health."
  value       = "https://${local.fqdn}"
}

output "deploy_command" {
  description = "Brings the next release to the machine, without a gap."
  value       = "npx booktape deploy root@${local.fqdn} --domain ${local.fqdn}"
}

output "ipv4_address" {
  description = "Address of the machine."
  value       = digitalocean_droplet.main.ipv4_address
}

output "bucket" {
  description = "Bucket and endpoint of the lake, for the edge worker's S3_BUCKET and S3_ENDPOINT."
  value       = "${digitalocean_spaces_bucket.lake.name} at https://${var.region}.digitaloceanspaces.com"
}

output "gateway_url" {
  description = "GATEWAY_URL of the edge worker."
  value       = "https://${local.fqdn}"
}

output "database_url" {
  description = "Connection string of the owner of the schema, inside the private network."
  value       = local.writer_url
  sensitive   = true
}
