// Command bootstrap is the Lambda function record.
package main

import "alboidc.internal/functions/entrypoint"

func main() { entrypoint.Start("record") }
