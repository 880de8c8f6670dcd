variable "name" {
  description = "Name of the installation: prefix of all resources, and of the ingestors' ids."
  type        = string
  default     = "booktape"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}$", var.name))
    error_message = "Use 2 to 31 lower-case letters, digits and dashes."
  }
}

variable "region" {
  description = "Region of droplet, database and bucket: one that has all three, such as fra1, ams3, nyc3, sgp1."
  type        = string
  default     = "fra1"
}

variable "domain" {
  description = "Domain that is managed at DigitalOcean, such as example.com. The machine is HOST.DOMAIN."
  type        = string
}

variable "host" {
  description = "Name of the machine in the domain."
  type        = string
  default     = "tape"
}

variable "ssh_key_fingerprints" {
  description = "Fingerprints of SSH keys in your account; they may log in as root. Without one nobody can."
  type        = list(string)

  validation {
    condition     = length(var.ssh_key_fingerprints) > 0
    error_message = "Name at least one key."
  }
}

variable "ssh_sources" {
  description = "Addresses that may reach port 22, in CIDR notation. Narrow it to yours."
  type        = list(string)
  default     = ["0.0.0.0/0", "::/0"]
}

variable "droplet_size" {
  description = "Size of the droplet. s-2vcpu-4gb costs 24 dollars a month; docs/deploy-machine.md says when the next one is due."
  type        = string
  default     = "s-2vcpu-4gb"
}

variable "droplet_image" {
  description = "Image of the droplet: Debian 12 or newer, or Ubuntu 22.04 or newer."
  type        = string
  default     = "debian-12-x64"
}

variable "database_size" {
  description = "Size of the managed Postgres. db-s-1vcpu-1gb costs 15 dollars a month and allows 22 connections."
  type        = string
  default     = "db-s-1vcpu-1gb"
}

variable "database_version" {
  description = "Major version of Postgres, 15 to 18."
  type        = string
  default     = "17"

  validation {
    condition     = contains(["15", "16", "17", "18"], var.database_version)
    error_message = "Choose 15, 16, 17 or 18."
  }
}

variable "bundle" {
  description = "File made by `npx booktape bundle`, which the machine installs."
  type        = string
  default     = "../../booktape-bundle.tar"
}

variable "spaces_access_key_id" {
  description = "Key for the bucket that the machine uses; a key that is limited to this bucket is enough."
  type        = string
  sensitive   = true
}

variable "spaces_secret_access_key" {
  description = "Secret of that key."
  type        = string
  sensitive   = true
}

variable "gateway_secret" {
  description = "Secret with which the edge worker authenticates at the gateway: openssl rand -base64 32."
  type        = string
  sensitive   = true

  validation {
    condition     = length(var.gateway_secret) >= 16
    error_message = "Use at least 16 characters."
  }
}

variable "console_token" {
  description = "Token of the operator at the console, at least 32 letters and digits: openssl rand -hex 32."
  type        = string
  sensitive   = true

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{32,}$", var.console_token))
    error_message = "Use at least 32 letters, digits, dashes or underscores."
  }
}

variable "settings" {
  description = "Further variables of .env.example for ingestor and jobs, such as { SYMBOLS = \"all\", TIER = \"2\" }."
  type        = map(string)
  default     = {}
}

variable "cors_origins" {
  description = "Origins whose pages may read dataset files from the bucket by signed URLs."
  type        = list(string)
  default     = ["*"]
}

variable "alert_emails" {
  description = "Verified addresses of your account that get alerts of droplet and database. Empty: no alerts."
  type        = list(string)
  default     = []
}

variable "edge_password" {
  description = "Password of booktape_edge, the login that the gateway uses: openssl rand -hex 24."
  type        = string
  sensitive   = true

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{16,}$", var.edge_password))
    error_message = "Use at least 16 letters, digits, dashes or underscores."
  }
}
