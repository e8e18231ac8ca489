"""The measurements of services on Kafka, and of aiokafka alone on the same broker."""
