// Command bootstrap is the Lambda function promotesecret.
package main

import "alboidc.internal/functions/entrypoint"

func main() { entrypoint.Start("promotesecret") }
