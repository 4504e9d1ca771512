"""What learners see: figures, tables, explorers."""
