// Command bootstrap is the Lambda function smoketest.
package main

import "alboidc.internal/functions/entrypoint"

func main() { entrypoint.Start("smoketest") }
