"""Model, input and prompt -> Attribution, in nats per token."""
