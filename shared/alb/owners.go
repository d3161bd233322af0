package alb

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/rotation"
)

// maxTagged is how many resources one DescribeTags may name (API reference, DescribeTags, ResourceArns).
const maxTagged = 20

// canaryTag makes a rule a canary, on a listener its default action, on a load balancer everything.
var canaryTag = map[string]string{"alb-oidc-rotator:canary": "true"}

func isCanary(t rotation.Target, tags map[string][]types.Tag) bool {
	return hasAll(tags[t.LoadBalancerARN], canaryTag) || hasAll(tags[cmp.Or(t.RuleARN, t.ListenerARN)], canaryTag)
}

// resource is something whose tags may tell that a tool owns it.
type resource struct{ arn, name string }

// owners looks for tools that manage the targets, or the listener or load balancer that they are on.
//
// A refusal because of tags becomes a warning if the targets were planned with these very tags: then our rules have
// become stricter since, the targets have not changed, and there is no reason to go back.
func (s *search) owners(ctx context.Context) error {
	all, err := s.readTags(ctx)
	if err != nil {
		return err
	}
	s.leaveToControllers(all)
	for _, t := range s.found.Targets {
		s.reviewTarget(t)
		s.tags[t.Key()] = tagsDigest(all[t.LoadBalancerARN], all[t.ListenerARN], all[t.RuleARN])
		s.canaries[t.Key()] = isCanary(t, all)
	}
	if len(s.found.Targets) == 0 {
		return nil
	}
	for _, r := range s.resources() {
		refusals, warnings := ownership(r.name, all[r.arn])
		if s.leave || s.asPlanned(r.arn) {
			refusals, warnings = nil, append(warnings, refusals...)
		}
		s.found.Refusals = append(s.found.Refusals, refusals...)
		s.found.Warnings = append(s.found.Warnings, warnings...)
	}
	return nil
}

// Owner returns the controller that owns a target, as the tags say now; "" if none does, or if it is gone.
func (b *Balancers) Owner(ctx context.Context, t rotation.Target) (string, error) {
	if err := mustBelongTogether(t); err != nil {
		return "", err
	}
	s := &search{api: b.waits().reader(config.AccountOf(t.LoadBalancerARN), t.Region),
		lb: balancer{arn: t.LoadBalancerARN, name: t.Name}}
	s.found.Targets = []rotation.Target{t}
	tags, err := s.readTags(ctx)
	if failure.Is(err, failure.Unavailable) && missing(err) {
		return "", nil
	}
	return ownerOf(t, tags), err
}

// leaveToControllers takes the rules that controllers own out of the targets.
func (s *search) leaveToControllers(all map[string][]types.Tag) {
	if !s.leave {
		return
	}
	owners := ownersOf(s.found.Targets, all)
	s.found.Targets = slices.DeleteFunc(s.found.Targets, func(t rotation.Target) bool {
		by := owners[t.Key()]
		if by != "" {
			s.found.Follows = append(s.found.Follows, t.Name+" ("+by+")")
			s.found.Owned = append(s.found.Owned, t)
		}
		return by != ""
	})
}

// ownersOf returns the controllers of a load balancer's targets, by their keys. A controller that tags rules owns those
// with its tag: another one beside them is set like any, which harms nothing if the controller has it, too, since it is
// waited for. Where no rule has a tag, as older controllers leave it, all below a tag are the controller's.
func ownersOf(targets []rotation.Target, tags map[string][]types.Tag) map[string]string {
	owners := map[string]string{}
	for _, t := range targets {
		if by := ownerOf(t, tags); by != "" {
			owners[t.Key()] = by
		}
	}
	if len(owners) > 0 {
		return owners
	}
	for _, t := range targets {
		for _, c := range controllers {
			if c.below && (c.tags(tags[t.ListenerARN]) || c.tags(tags[t.LoadBalancerARN])) {
				owners[t.Key()] = c.name
			}
		}
	}
	return owners
}

// ownerOf returns the controller whose tag a rule, or the listener of a default action, has; "" if none. tags are by
// ARN.
func ownerOf(t rotation.Target, tags map[string][]types.Tag) string {
	for _, c := range controllers {
		if c.tags(tags[cmp.Or(t.RuleARN, t.ListenerARN)]) {
			return c.name
		}
	}
	return ""
}

// tags reports whether one of the tags is the controller's.
func (c controller) tags(list []types.Tag) bool {
	return slices.ContainsFunc(list, func(t types.Tag) bool { return c.owns(aws.ToString(t.Key)) })
}

// readTags reads the tags of the targets and of what they are on, by ARN.
func (s *search) readTags(ctx context.Context) (map[string][]types.Tag, error) {
	all := map[string][]types.Tag{}
	for batch := range slices.Chunk(s.resources(), maxTagged) {
		in := &elasticloadbalancingv2.DescribeTagsInput{}
		for _, r := range batch {
			in.ResourceArns = append(in.ResourceArns, r.arn)
		}
		out, err := s.api.DescribeTags(ctx, in)
		if err != nil {
			return nil, asUnavailable(err, "reading the tags of %s", s.lb.name)
		}
		for _, d := range out.TagDescriptions {
			all[aws.ToString(d.ResourceArn)] = d.Tags
		}
	}
	return all, nil
}

// asPlanned reports whether every target of a resource was planned with its present tags. A plan of an earlier release
// did not note tags, which counts as the same.
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
		_, _ = fmt.Fprintln(h, strings.Join(list, ","))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// resources returns the load balancer, then each target's listener and rule, each once.
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

// page explains, with blocks to copy, how other tools and this one get along.
const page = "docs/infrastructure-as-code.md"

// controller is a program that keeps writing the actions of what it owns, with a client secret of its own.
type controller struct {
	name string
	// keys are those of the tags that it sets; a * at the end stands for every ending.
	keys []string
	// below: it owns whatever is on a listener or load balancer that it owns, and removes what others add.
	below bool
	// remedy says where the secret has to change instead.
	remedy string
}

const (
	asFollower = ", and leave the rule to it by followers.controllers, or give it a client of its own (" + page +
		"#kubernetes-controllers)"
	inCluster = "have the Kubernetes Secret that its ingress names follow AWSCURRENT" + asFollower
)

// controllers, by the tags that their sources and documentation name: aws-load-balancer-controller, pkg/deploy/tracking
// and pkg/gateway/constants; aws-alb-ingress-controller v1, internal/alb/tags; the managed policy
// AmazonEKSLoadBalancingPolicy of EKS Auto Mode; aws-controllers-k8s runtime, pkg/tags; crossplane-runtime,
// pkg/resource.
var controllers = []controller{
	{"EKS Auto Mode", []string{"eks:eks-cluster-name", "ingress.eks.amazonaws.com/*", "service.eks.amazonaws.com/*",
		"gateway.eks.amazonaws.com*"}, true, inCluster},
	{"the AWS Load Balancer Controller", []string{"elbv2.k8s.aws/*", "service.k8s.aws/*",
		"gateway.k8s.aws*"}, true, inCluster},
	{"an ingress controller of Kubernetes", []string{"ingress.k8s.aws/*", "kubernetes.io/cluster/*",
		"kubernetes.io/ingress-name", "kubernetes.io/namespace", "kubernetes.io/service-name"}, true, inCluster},
	{"AWS Controllers for Kubernetes (ACK)", []string{"services.k8s.aws/*"}, false,
		"have the Kubernetes Secret that its resource names follow AWSCURRENT" + asFollower},
	{"Crossplane", []string{"crossplane-*", "crossplane.io/*", "*.crossplane.io/*"}, false,
		"have the Secret that its managed resource names follow AWSCURRENT" + asFollower},
}

// owns reports whether a tag is the controller's.
func (c controller) owns(key string) bool {
	key = strings.ToLower(key)
	return slices.ContainsFunc(c.keys, func(k string) bool {
		begin, prefix := strings.CutSuffix(k, "*")
		inner, anywhere := strings.CutPrefix(begin, "*")
		return key == k || prefix && (strings.HasPrefix(key, begin) || anywhere && strings.Contains(key, inner))
	})
}

// tool is a program that writes actions when people run it. Its tags have one of words in their keys or values.
type tool struct {
	name  string
	words []string
	// advice says what keeps an old secret from coming back.
	advice string
}

var tools = []tool{
	{"Terraform or OpenTofu", []string{"terraform", "opentofu", "tofu", "terragrunt", "terramate", "terraspace",
		"cdktf", "tf"},
		"which sends the client secret of its state whenever it changes the action, also with ignore_changes on " +
			"client_secret: have it read AWSCURRENT by the data source aws_secretsmanager_secret_version, or use the " +
			"awscc resource with use_existing_client_secret (" + page + "#terraform-and-opentofu)"},
	{"Pulumi", []string{"pulumi"},
		"which sends the client secret of its state whenever it changes the action, also with ignoreChanges: have it " +
			"read AWSCURRENT by aws.secretsmanager.getSecretVersion (" + page + "#pulumi)"},
	{"Ansible", []string{"ansible"},
		"which puts the client secret of its play back: have it look AWSCURRENT up, or set UseExistingClientSecret (" +
			page + "#other-tools)"},
}

// uses reports whether a tag names the tool: as a word, or, if the name is too long to be anything else, as part of
// one.
func (t tool) uses(key, value string) bool {
	text := strings.ToLower(key + " " + value)
	words := strings.FieldsFunc(text, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	return slices.ContainsFunc(t.words, func(w string) bool {
		return slices.Contains(words, w) || len(w) > len("tofu") && strings.Contains(text, w)
	})
}

// ownership returns what a resource's tags say about who else writes its actions: a warning for each tool, a refusal
// for each controller.
func ownership(name string, tags []types.Tag) (refusals, warnings []string) {
	tags = slices.Clone(tags)
	slices.SortFunc(tags, func(a, b types.Tag) int { return strings.Compare(aws.ToString(a.Key), aws.ToString(b.Key)) })
	for _, c := range controllers {
		for _, t := range tags {
			if key := aws.ToString(t.Key); c.owns(key) {
				refusals = append(refusals,
					fmt.Sprintf("%s is managed by %s (tag %s = %q), which would put its own client "+
						"secret back: %s", name, c.name, key, aws.ToString(t.Value), c.remedy))
				break
			}
		}
	}
	for _, t := range tags {
		if key := aws.ToString(t.Key); key == "aws:cloudformation:stack-name" {
			warnings = append(warnings,
				fmt.Sprintf("%s belongs to CloudFormation stack %q, which puts the template's client "+
					"secret back when it next changes the action: set UseExistingClientSecret to true and remove "+
					"ClientSecret in the template (%s#cloudformation)", name, aws.ToString(t.Value), page))
		}
	}
	for _, x := range tools {
		names := func(t types.Tag) bool { return x.uses(aws.ToString(t.Key), aws.ToString(t.Value)) }
		if slices.ContainsFunc(tags, names) {
			warnings = append(warnings, fmt.Sprintf("%s looks managed by %s, %s", name, x.name, x.advice))
		}
	}
	return refusals, warnings
}
