module example.com/client-secrets

go 1.26.0
