terraform {
  required_version = ">= 1.6"

  required_providers {
    digitalocean = {
      source  = "digitalocean/digitalocean"
      version = "~> 2.40"
    }
  }
}

# Tokens come from the environment: DIGITALOCEAN_TOKEN, SPACES_ACCESS_KEY_ID and
# SPACES_SECRET_ACCESS_KEY. None is written here.
provider "digitalocean" {}
