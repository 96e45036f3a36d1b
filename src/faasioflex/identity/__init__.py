"""Who acts and what they may do: policy, directory of people and grants, tokens, the login drivers."""
