"""The one pipeline through which every credential and presentation is judged."""
