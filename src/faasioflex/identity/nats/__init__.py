"""NATS for users: the server asks us who a client is (auth callout), what it may do, and we end the connections that may not go on."""
