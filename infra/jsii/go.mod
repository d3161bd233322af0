module github.com/aws/jsii-runtime-go

go 1.26.0

require (
	github.com/aws/aws-cdk-go/awscdk/v2 v2.248.0
	github.com/aws/constructs-go/constructs/v10 v10.6.0
)
