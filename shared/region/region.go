// Package region knows AWS Regions: their form, and the partition that each is part of.
package region

import (
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// Form is what the name of a Region looks like, whatever its partition: eu-central-1, eusc-de-east-1, us-isob-west-1.
const Form = `[a-z]{2,}(-[a-z]+)+-[0-9]+`

var pattern = regexp.MustCompile(`^` + Form + `$`)

// OK reports whether s can be the name of a Region.
func OK(s string) bool { return pattern.MatchString(s) }

// Partition is a separate part of AWS with accounts, ARNs and host names of its own.
type Partition struct {
	ID     string // aws, aws-cn, aws-eusc, …: the second part of its ARNs
	Suffix string // of its host names: amazonaws.com, amazonaws.eu, …
}

// PartitionOf is a Region's partition by the SDK's endpoint rules. A Region that they do not know counts as one of the
// partition aws.
func PartitionOf(region string) Partition {
	e, err := secretsmanager.NewDefaultEndpointResolver().ResolveEndpoint(region,
		secretsmanager.EndpointResolverOptions{})
	suffix, found := strings.CutPrefix(e.URL, "https://secretsmanager."+region+".")
	if err != nil || !found {
		return Partition{ID: "aws", Suffix: "amazonaws.com"}
	}
	return Partition{ID: e.PartitionID, Suffix: suffix}
}

// Known reports whether a Region was there when this was written; a newer one is none the worse.
func Known(region string) bool { return slices.Contains(known, region) }

// known are the Regions of all partitions (AWS General Reference, "Service endpoints"; a test of the deployment asks
// the CDK whether one is missing).
var known = strings.Fields(`
	af-south-1 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2 ap-southeast-1
	ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6 ap-southeast-7 ca-central-1 ca-west-1
	eu-central-1 eu-central-2 eu-north-1 eu-south-1 eu-south-2 eu-west-1 eu-west-2 eu-west-3 il-central-1 me-central-1
	me-south-1 me-west-1 mx-central-1 sa-east-1 us-east-1 us-east-2 us-west-1 us-west-2
	cn-north-1 cn-northwest-1 us-gov-east-1 us-gov-west-1 eusc-de-east-1
	us-iso-east-1 us-iso-west-1 us-isob-east-1 us-isob-west-1 eu-isoe-west-1 us-isof-east-1 us-isof-south-1`)
