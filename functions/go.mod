module alboidc.internal/functions

go 1.26.0

require github.com/aws/aws-lambda-go v1.55.1 // indirect

require alboidc.internal/shared v0.0.0

replace alboidc.internal/shared => ../shared
