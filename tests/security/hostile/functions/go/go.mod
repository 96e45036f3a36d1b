module attacker

go 1.24
