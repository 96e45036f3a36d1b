"""How much memory the instances of this node may take together, and whose turn it is when that is used up."""
