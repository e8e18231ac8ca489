"""The same questions, asked of services on Kafka; beside them what aiokafka does bare, on the same broker."""
