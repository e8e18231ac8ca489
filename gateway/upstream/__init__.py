"""The gateway's side towards services: endpoint pools, load balancing, circuit breakers, retries, hedging."""
