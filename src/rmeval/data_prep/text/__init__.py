"""From messages to text and token ids, and what the audit finds on the way."""
