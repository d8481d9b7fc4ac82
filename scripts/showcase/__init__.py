"""What the demo asks, shows and writes down."""
