// Command hello is the smallest function, to which the start-up of the others is compared.
package main

import "github.com/aws/aws-lambda-go/lambda"

func main() { lambda.Start(func() error { return nil }) }
