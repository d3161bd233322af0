// Command bootstrap is the Lambda function plan.
package main

import "alboidc.internal/functions/entrypoint"

func main() { entrypoint.Start("plan") }
