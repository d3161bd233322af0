// Command bootstrap is the Lambda function updatealb.
package main

import "alboidc.internal/functions/entrypoint"

func main() { entrypoint.Start("updatealb") }
