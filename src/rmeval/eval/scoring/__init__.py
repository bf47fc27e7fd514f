"""``rmeval score``: every completion of any data set, streamed and resumed."""
