"""What several verbs share: options, what a parser lets pass, help that can be typed, progress."""
