module faasioflex.dev/faasioflex

go 1.24
