"""Storage that fails: at every system call, at every power cut, at every bit."""
