"""What the gate says: terminal, Markdown, JUnit, annotations."""
