"""The log on Apache Kafka, by aiokafka: topics, transactions, consumer groups. Needs the extra `kafka`."""
