"""The exercises, predictions and quizzes of each lab, one module a lab."""
