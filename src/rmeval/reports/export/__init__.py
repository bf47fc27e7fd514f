"""Results for other places: the Hub's model pages, and the Every Eval Ever datastore."""
