"""Any OpenID Connect issuer as a login."""
