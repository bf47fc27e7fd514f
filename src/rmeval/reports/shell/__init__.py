"""What every page and table is made with."""
