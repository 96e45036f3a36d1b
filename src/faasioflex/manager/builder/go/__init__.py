"""Go modules, and the compiling of a function to one program."""
