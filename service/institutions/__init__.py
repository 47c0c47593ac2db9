"""Who may call the service and how it knows: the registry, signed requests, limits, blocks, and alerts to the regulator."""
