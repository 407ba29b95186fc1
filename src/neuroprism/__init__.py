"""Trains biosignal networks and shows what happens while they train."""
