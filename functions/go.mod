module alboidc.internal/functions

go 1.26.0
