"""Train a reward model, from a recipe to a folder that scores; needs the extra ``train``, but not to be loaded."""
