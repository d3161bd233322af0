package alb

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// maxTagged is how many resources one DescribeTags may name (API reference, DescribeTags, ResourceArns).
const maxTagged = 20

// resource is one whose tags may tell that a tool owns it.
type resource struct{ arn, name string }

// owners looks for tools that manage the targets, or the listener or load balancer that they are on.
//
// What an owner's tags refuse is no reason to go back while the targets were planned with these very tags: then the rules
// became stricter since, not the targets other ones.
func (s *search) owners(ctx context.Context) error {
	all := map[string][]types.Tag{}
	for batch := range slices.Chunk(s.resources(), maxTagged) {
		in := &elasticloadbalancingv2.DescribeTagsInput{}
		for _, r := range batch {
			in.ResourceArns = append(in.ResourceArns, r.arn)
		}
		out, err := s.api.DescribeTags(ctx, in)
		if err != nil {
			return vanished(err, "reading the tags of %s", s.lb.name)
		}
		for _, d := range out.TagDescriptions {
			all[aws.ToString(d.ResourceArn)] = d.Tags
		}
	}
	for _, t := range s.found.Targets {
		s.tags[t.Key()] = tagsDigest(all[t.LoadBalancerARN], all[t.ListenerARN], all[t.RuleARN])
	}
	for _, r := range s.resources() {
		refusals, warnings := ownership(r.name, all[r.arn])
		if s.asPlanned(r.arn) {
			refusals, warnings = nil, append(warnings, refusals...)
		}
		s.found.Refusals = append(s.found.Refusals, refusals...)
		s.found.Warnings = append(s.found.Warnings, warnings...)
	}
	return nil
}

// asPlanned reports whether every target that a resource is about was planned with the tags that it has. A plan of an earlier
// release has not noted them.
func (s *search) asPlanned(arn string) bool {
	for _, t := range s.found.Targets {
		if arn != t.LoadBalancerARN && arn != t.ListenerARN && arn != t.RuleARN {
			continue
		}
		tags, planned := s.planned[t.Key()]
		if !planned || tags != "" && tags != s.tags[t.Key()] {
			return false
		}
	}
	return true
}

// tagsDigest tells sets of tags apart.
func tagsDigest(sets ...[]types.Tag) string {
	h := sha256.New()
	for _, tags := range sets {
		var list []string
		for _, t := range tags {
			list = append(list, fmt.Sprintf("%q=%q", aws.ToString(t.Key), aws.ToString(t.Value)))
		}
		slices.Sort(list)
		fmt.Fprintln(h, strings.Join(list, ","))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// resources are the load balancer, then each target's listener and rule, each once.
func (s *search) resources() []resource {
	out := []resource{{s.lb.arn, "the load balancer " + s.lb.name}}
	seen := map[string]bool{}
	add := func(arn, name string) {
		if arn != "" && !seen[arn] {
			seen[arn] = true
			out = append(out, resource{arn, name})
		}
	}
	for _, t := range s.found.Targets {
		add(t.ListenerARN, "the listener of "+t.Name)
		add(t.RuleARN, t.Name)
	}
	return out
}

// ownership is what a resource's tags say about who else writes its actions.
func ownership(name string, tags []types.Tag) (refusals, warnings []string) {
	tags = slices.Clone(tags)
	slices.SortFunc(tags, func(a, b types.Tag) int { return strings.Compare(aws.ToString(a.Key), aws.ToString(b.Key)) })
	terraform := false
	for _, t := range tags {
		key, value := aws.ToString(t.Key), aws.ToString(t.Value)
		switch {
		case key == "elbv2.k8s.aws/cluster":
			refusals = append(refusals, fmt.Sprintf("%s is managed by the AWS Load Balancer Controller of Kubernetes cluster %q, "+
				"which would put its own client secret back: rotate the Kubernetes Secret that its ingress names instead", name, value))
		case key == "aws:cloudformation:stack-name":
			warnings = append(warnings, fmt.Sprintf("%s belongs to CloudFormation stack %q, which puts the template's client "+
				"secret back when it next changes the action: set UseExistingClientSecret to true and remove ClientSecret in the template", name, value))
		case strings.Contains(strings.ToLower(key), "terraform") || strings.EqualFold(value, "terraform"):
			terraform = true
		}
	}
	if terraform {
		warnings = append(warnings, fmt.Sprintf("%s looks managed by Terraform, which puts the client secret of its state back "+
			"with the next apply: add client_secret of the authenticate_oidc block to lifecycle.ignore_changes", name))
	}
	return refusals, warnings
}
