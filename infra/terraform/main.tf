locals {
  fqdn = "${var.host}.${var.domain}"

  # The owner of the schema: migrations make a role, and partitions are made and dropped by whoever
  # owns them. The gateway has a login of its own that can only read (booktape_edge).
  writer_url = "postgres://${digitalocean_database_cluster.main.user}:${urlencode(digitalocean_database_cluster.main.password)}@${digitalocean_database_cluster.main.private_host}:${digitalocean_database_cluster.main.port}/${digitalocean_database_db.main.name}?sslmode=verify-full"
  edge_url   = "postgres://booktape_edge:${urlencode(var.edge_password)}@${digitalocean_database_cluster.main.private_host}:${digitalocean_database_cluster.main.port}/${digitalocean_database_db.main.name}?sslmode=verify-full"

  booktape_env = merge({
    DATABASE_URL         = local.writer_url
    PGSSLROOTCERT        = "/etc/booktape/ca.crt"
    S3_ENDPOINT          = "https://${var.region}.digitaloceanspaces.com"
    S3_BUCKET            = digitalocean_spaces_bucket.lake.name
    S3_REGION            = var.region
    S3_ACCESS_KEY_ID     = var.spaces_access_key_id
    S3_SECRET_ACCESS_KEY = var.spaces_secret_access_key
    CONSOLE_TOKENS       = "operator:operate:${var.console_token}"
    # One core is the recorder's: with POOL_MAX below, all programs fit the 22 connections of the
    # smallest database, heartbeat and console included (docs/deploy-edge.md).
    FEATURES_THREADS = "0"
    # Of the 10 GB of the smallest database; the rest is its log, rollups and indexes.
    RAW_DISK_BUDGET_GB = "6"
  }, var.settings)

  gateway_env = {
    DATABASE_URL   = local.edge_url
    PGSSLROOTCERT  = "/etc/booktape/ca.crt"
    GATEWAY_SECRET = var.gateway_secret
    POOL_MAX       = "3"
  }
}

# The private network of droplet and database.
resource "digitalocean_vpc" "main" {
  name   = var.name
  region = var.region
}

resource "digitalocean_database_cluster" "main" {
  name                 = var.name
  engine               = "pg"
  version              = var.database_version
  size                 = var.database_size
  region               = var.region
  node_count           = 1
  private_network_uuid = digitalocean_vpc.main.id

  maintenance_window {
    day  = "sunday"
    hour = "04:00:00"
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "digitalocean_database_db" "main" {
  cluster_id = digitalocean_database_cluster.main.id
  name       = "booktape"
}

data "digitalocean_database_ca" "main" {
  cluster_id = digitalocean_database_cluster.main.id
}

# Trusted sources: only the droplet.
resource "digitalocean_database_firewall" "main" {
  cluster_id = digitalocean_database_cluster.main.id

  rule {
    type  = "droplet"
    value = digitalocean_droplet.main.id
  }
}

# The lake. Dataset files and archived hours stay for ever; only leftovers expire.
resource "digitalocean_spaces_bucket" "lake" {
  name   = "${var.name}-${var.region}"
  region = var.region
  acl    = "private"

  lifecycle_rule {
    id                                     = "unfinished-uploads"
    enabled                                = true
    abort_incomplete_multipart_upload_days = 1
  }

  lifecycle_rule {
    id      = "scratch-of-the-doctor"
    enabled = true
    prefix  = "doctor/"

    expiration {
      days = 1
    }
  }

  lifecycle {
    prevent_destroy = true
  }
}

# For browsers that follow a signed URL.
resource "digitalocean_spaces_bucket_cors_configuration" "lake" {
  bucket = digitalocean_spaces_bucket.lake.id
  region = var.region

  cors_rule {
    allowed_methods = ["GET", "HEAD"]
    allowed_origins = var.cors_origins
    allowed_headers = ["range", "if-none-match"]
    expose_headers  = ["etag", "content-range", "content-length"]
    max_age_seconds = 3600
  }
}

# What the machine installs at its first start. Later releases come by `npx booktape deploy`.
resource "digitalocean_spaces_bucket_object" "bundle" {
  region = var.region
  bucket = digitalocean_spaces_bucket.lake.name
  key    = "deploy/${filesha256(var.bundle)}.tar"
  source = var.bundle
  acl    = "private"
}

resource "digitalocean_droplet" "main" {
  name       = local.fqdn
  region     = var.region
  size       = var.droplet_size
  image      = var.droplet_image
  vpc_uuid   = digitalocean_vpc.main.id
  ssh_keys   = var.ssh_key_fingerprints
  ipv6       = true
  monitoring = true

  user_data = templatefile("${path.module}/cloud-init.yaml.tftpl", {
    name          = var.name
    fqdn          = local.fqdn
    region        = var.region
    bundle_url    = "https://${var.region}.digitaloceanspaces.com/${digitalocean_spaces_bucket.lake.name}/${digitalocean_spaces_bucket_object.bundle.key}"
    bundle_sha256 = filesha256(var.bundle)
    access_key_id = var.spaces_access_key_id
    secret        = var.spaces_secret_access_key
    booktape_env  = base64encode(join("", [for key, value in local.booktape_env : "${key}=${value}\n"]))
    gateway_env   = base64encode(join("", [for key, value in local.gateway_env : "${key}=${value}\n"]))
    ca            = base64encode(data.digitalocean_database_ca.main.certificate)
    database = {
      host     = digitalocean_database_cluster.main.private_host
      port     = digitalocean_database_cluster.main.port
      user     = digitalocean_database_cluster.main.user
      password = digitalocean_database_cluster.main.password
      name     = digitalocean_database_db.main.name
    }
    edge_password = var.edge_password
  })

  lifecycle {
    # Another user_data or image would replace the machine, and its tape with it.
    ignore_changes = [user_data, image, ssh_keys]
  }
}

resource "digitalocean_firewall" "main" {
  name        = var.name
  droplet_ids = [digitalocean_droplet.main.id]

  inbound_rule {
    protocol         = "tcp"
    port_range       = "22"
    source_addresses = var.ssh_sources
  }

  inbound_rule {
    protocol         = "tcp"
    port_range       = "80"
    source_addresses = ["0.0.0.0/0", "::/0"]
  }

  inbound_rule {
    protocol         = "tcp"
    port_range       = "443"
    source_addresses = ["0.0.0.0/0", "::/0"]
  }

  dynamic "outbound_rule" {
    for_each = ["tcp", "udp"]

    content {
      protocol              = outbound_rule.value
      port_range            = "1-65535"
      destination_addresses = ["0.0.0.0/0", "::/0"]
    }
  }

  outbound_rule {
    protocol              = "icmp"
    destination_addresses = ["0.0.0.0/0", "::/0"]
  }
}

resource "digitalocean_record" "ipv4" {
  domain = var.domain
  type   = "A"
  name   = var.host
  value  = digitalocean_droplet.main.ipv4_address
  ttl    = 300
}

resource "digitalocean_record" "ipv6" {
  domain = var.domain
  type   = "AAAA"
  name   = var.host
  value  = digitalocean_droplet.main.ipv6_address
  ttl    = 300
}
