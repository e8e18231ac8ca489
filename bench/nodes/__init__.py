"""A domain of real processes on a Kafka broker and a Consul agent, and what is measured on it."""
