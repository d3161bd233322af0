module alboidc.internal/statemachine

go 1.26.0

require alboidc.internal/shared v0.0.0

replace alboidc.internal/shared => ../shared
