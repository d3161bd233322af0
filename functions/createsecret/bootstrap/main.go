// Command bootstrap is the Lambda function createsecret.
package main

import "alboidc.internal/functions/entrypoint"

func main() { entrypoint.Start("createsecret") }
