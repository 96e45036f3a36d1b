"""How ``ffx login`` gets tokens, and where they are kept."""
