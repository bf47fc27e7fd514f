"""From files, folders and the Hub to rows, messages and examples."""
