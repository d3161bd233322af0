package region_test

import (
	"testing"

	"alboidc.internal/shared/region"
)

// The identifiers and suffixes are those of the SDK's partitions (botocore, partitions.json).
func TestEachRegionHasItsPartition(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]region.Partition{
		"eu-central-1": {"aws", "amazonaws.com"}, "ap-southeast-7": {"aws", "amazonaws.com"},
		"cn-northwest-1": {"aws-cn", "amazonaws.com.cn"}, "us-gov-west-1": {"aws-us-gov", "amazonaws.com"},
		"eusc-de-east-1": {"aws-eusc", "amazonaws.eu"}, "us-iso-west-1": {"aws-iso", "c2s.ic.gov"},
		"us-isob-east-1": {"aws-iso-b", "sc2s.sgov.gov"}, "eu-isoe-west-1": {"aws-iso-e", "cloud.adc-e.uk"},
		"us-isof-south-1": {"aws-iso-f", "csp.hci.ic.gov"},
		// a later Region of a partition is one of it
		"eusc-de-west-2": {"aws-eusc", "amazonaws.eu"}, "eu-central-10": {"aws", "amazonaws.com"},
	} {
		if got := region.PartitionOf(name); got != want {
			t.Errorf("%s is in %+v, want %+v", name, got, want)
		}
		if !region.OK(name) {
			t.Errorf("%s is taken for no Region", name)
		}
	}
}

func TestWhatIsNoRegionIsToldApart(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "Frankfurt", "eu-central", "eu-central-1a", "EU-CENTRAL-1", "eu_central_1",
		" eu-west-1",
		"e-west-1", "eu-west-1.evil.example", "eu--1"} {
		if region.OK(s) || region.Known(s) {
			t.Errorf("%q is taken for a Region", s)
		}
	}
	if !region.Known("eusc-de-east-1") || region.Known("eu-central-3") {
		t.Error("the known Regions are wrong")
	}
}
