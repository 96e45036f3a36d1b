"""The invoker's HTTP server: a 0600 unix socket, behind the gateway and the API."""
