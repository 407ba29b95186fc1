"""The datasets: one declaration a file."""
