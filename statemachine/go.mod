module alboidc.internal/statemachine

go 1.26.0
