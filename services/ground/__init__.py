"""What every service stands on: settings, clock, broker, store, unit of work, telemetry. Knows schemas only."""
