"""How good a trained ABR network is, beside simple methods and the limit that the noise sets."""
