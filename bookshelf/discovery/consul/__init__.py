"""Discovery by Consul: one agent's HTTP API behind the port. What an operator sees of it: docs/consul.md."""
