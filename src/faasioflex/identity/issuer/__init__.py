"""The embedded OpenID Connect issuer: accounts, login pages and what the token endpoint needs of them."""
