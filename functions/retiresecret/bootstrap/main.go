// Command bootstrap is the Lambda function retiresecret.
package main

import "alboidc.internal/functions/entrypoint"

func main() { entrypoint.Start("retiresecret") }
