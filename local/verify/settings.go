package verify

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"alboidc.internal/shared/region"
)

// Settings are what whoever measures has decided.
type Settings struct {
	Region string
	// Yes leaves out the question before anything is made.
	Yes bool
	// From is who may reach the load balancer, as a CIDR; empty is the address that this machine has on the Internet.
	From string
	// VPC and two public Subnets of it are used instead of new ones.
	VPC     string
	Subnets []string
	// Certificate is the ARN of one for the listener; empty makes a self-signed one.
	Certificate string
	// Runs is how many changes of a secret are followed through the nodes, for docs/guarantees.md.
	Runs int
}

var certificate = regexp.MustCompile(`^arn:[a-z-]+:(acm|iam):`)

// ReadSettings reads them from the environment, and names everything that is wrong.
func ReadSettings(getenv func(string) string) (Settings, error) {
	s := Settings{Region: getenv("REGION"), Yes: getenv("YES") == "1", From: getenv("VERIFY_FROM"),
		VPC: getenv("VERIFY_VPC"), Certificate: getenv("VERIFY_CERTIFICATE"), Runs: 20}
	for id := range strings.SplitSeq(getenv("VERIFY_SUBNETS"), ",") {
		if id = strings.TrimSpace(id); id != "" {
			s.Subnets = append(s.Subnets, id)
		}
	}
	var problems []error
	wrong := func(is bool, format string, args ...any) {
		if is {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	wrong(s.Region == "",
		"REGION: must be given; no default is taken, because something is made there: REGION=eu-central-1")
	wrong(s.Region != "" && !region.OK(s.Region), "REGION=%s: must be the name of a Region, like eu-central-1",
		s.Region)
	wrong(s.VPC == "" && len(s.Subnets) > 0,
		"VERIFY_VPC: must name the VPC of VERIFY_SUBNETS; without both, one is made")
	wrong(s.VPC != "" && len(s.Subnets) < 2, "VERIFY_SUBNETS: must be two public subnets of %s, in two Availability "+
		"Zones, with a comma between", s.VPC)
	if _, err := netip.ParsePrefix(s.From); s.From != "" {
		wrong(err != nil, "VERIFY_FROM=%s: must be a CIDR, like 203.0.113.7/32", s.From)
	}
	wrong(s.Certificate != "" && !certificate.MatchString(s.Certificate),
		"VERIFY_CERTIFICATE=%s: must be the ARN of a certificate in ACM or IAM; empty makes one", s.Certificate)
	if text := getenv("VERIFY_RUNS"); text != "" {
		var err error
		s.Runs, err = strconv.Atoi(text)
		wrong(err != nil || s.Runs < 1 || s.Runs > 100, "VERIFY_RUNS=%s: must be a number from 1 to 100", text)
	}
	return s, errors.Join(problems...)
}
