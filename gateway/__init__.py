"""The gateway: a reverse proxy that finds services by discovery and routes by their OpenAPI documents."""
