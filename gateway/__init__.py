"""The gateway: the one door of the services. It knows them only by discovery and by what they serve."""
