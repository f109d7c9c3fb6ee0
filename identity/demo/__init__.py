"""The story of the design, told over HTTP by a scripted agency, citizen and relying party."""
